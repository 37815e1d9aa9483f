<?php
// The credentials URL of a site whose login keeps the user's id in the session. Give the web server's user, and nobody
// else, the right to read the two files.
declare(strict_types=1);

ini_set('display_errors', '0'); // a fault is for the log, not for who asks

require __DIR__ . '/XToken.php';

$key = XToken\Key::fromFiles(
    getenv('OTP_SEED_FILE') ?: '/etc/xtokend-issuer/otp_seed',
    getenv('TOKEN_SECRET_FILE') ?: '/etc/xtokend-issuer/token_secret',
);

// A session is only looked at, and a page's other requests need not wait. Who has none gets none.
if (isset($_COOKIE[session_name()])) {
    session_start(['read_and_close' => true, 'cache_limiter' => '', 'use_strict_mode' => true]);
}

XToken\answer(
    $key,
    isset($_SESSION['user_id']) ? (string) $_SESSION['user_id'] : null,
    getenv('XMPP_DOMAIN') ?: 'example.org',
    getenv('FOLD_CASE') === '1',
);
