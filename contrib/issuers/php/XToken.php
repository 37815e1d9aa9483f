<?php
declare(strict_types=1);

namespace XToken;

/**
 * Makes one-time tokens with which the users of a web site log in to XMPP. Needs PHP 8.2 with mbstring and intl.
 *
 * A token is  otp nonce SP signature:
 *   otp        8 digits, TOTP (RFC 6238) with HMAC-SHA-1 and steps of 30 seconds; the seed is base32
 *   nonce      32 digits
 *   signature  base64 of HMAC-SHA-256(token secret, otp nonce localpart "@" domain)
 *
 * Call answer() from the page that is the credentials URL. No exception holds a seed, a secret or a token.
 */
const STEP_SECONDS = 30;
const NONCE_DIGITS = 32;
const MAX_LOCALPART_BYTES = 1023; // RFC 7622 §3.3.1

// XEP-0106 §4.2. A backslash is escaped only where it would begin one of these.
const ESCAPED = '~[ "&\'/:<>@]|\\\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)~';

// What may stand in an address (RFC 8264 §9.1, in lower case), and the space, which is escaped.
const ALLOWED = '~\A[ !-\x7e\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}]*\z~u';

// Letters and marks that a server of RFC 6122 reads as others (ß as ss, ς as σ, iota subscripts), and those that RFC
// 5892 §2.6, §2.8 and §2.9 takes out: fillers, old Hangul, what shows nothing.
const UNSAFE = '~[\x{df}\x{345}\x{34f}\x{3c2}\x{640}\x{7fa}\x{1100}-\x{11ff}\x{17b4}\x{17b5}\x{180b}-\x{180d}\x{180f}'
    . '\x{1f80}-\x{1faf}\x{1fb2}-\x{1fb4}\x{1fb7}\x{1fbc}\x{1fc2}-\x{1fc4}\x{1fc7}\x{1fcc}\x{1ff2}-\x{1ff4}\x{1ff7}'
    . '\x{1ffc}\x{302e}\x{302f}\x{3031}-\x{3035}\x{303b}\x{a960}-\x{a97c}\x{d7b0}-\x{d7fb}\x{fe00}-\x{fe0f}'
    . '\x{e0100}-\x{e01ef}]~u';

/** A user id that cannot be the name of an XMPP account. Its message says why. */
final class UserIdError extends \InvalidArgumentException
{
}

/**
 * Returns the part of the user's XMPP address in front of the @, escaped by XEP-0106.
 *
 * XMPP knows no letter case. An id that it would change (JSmith to jsmith) is refused unless $foldCase is set. Set it
 * only where no two ids are the same but for letter case or Unicode form: their owners would share one account.
 */
function localpart(string $userId, bool $foldCase = false): string
{
    // Control characters are escaped, so that none ends a line of the log.
    $named = 'the user id ' . json_encode($userId, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE);
    if (!mb_check_encoding($userId, 'UTF-8')) {
        throw new UserIdError('the user id is not UTF-8');
    }
    // Letter by letter: at the end of a word Σ would become ς, which servers read as σ.
    $letters = mb_str_split(\Normalizer::normalize($userId, \Normalizer::FORM_C), 1, 'UTF-8');
    $lower = implode('', array_map(fn (string $c): string => mb_strtolower($c, 'UTF-8'), $letters));
    $folded = \Normalizer::normalize($lower, \Normalizer::FORM_C);
    if ($folded !== $userId && !$foldCase) {
        throw new UserIdError("$named would become another in XMPP:"
            . ' set $foldCase, if no two user ids are the same but for letter case');
    }
    if ($folded !== trim($folded, ' ')) {
        throw new UserIdError("$named begins or ends with a space (XEP-0106 §4.1)");
    }
    $escaped = preg_replace_callback(ESCAPED, fn (array $c): string => '\\' . bin2hex($c[0]), $folded);
    // Full-width and other compatibility forms would be read as plain letters.
    if (
        preg_match(ALLOWED, $folded) !== 1 || preg_match(UNSAFE, $folded) !== 0
        || \Normalizer::normalize($escaped, \Normalizer::FORM_KC) !== $escaped
    ) {
        throw new UserIdError("$named holds characters that no XMPP address may hold,"
            . ' or that servers read as others');
    }
    if ($escaped === '' || strlen($escaped) > MAX_LOCALPART_BYTES) {
        throw new UserIdError('the user id is empty or longer than ' . MAX_LOCALPART_BYTES . ' octets');
    }
    return $escaped;
}

/** A seed for one-time passwords and a token secret, as in xtokend's [[domain.key]]. It prints neither. */
final class Key
{
    private \Closure $otp;
    private \Closure $sign;

    public function __construct(
        #[\SensitiveParameter] string $otpSeed,
        #[\SensitiveParameter] string $tokenSecret,
    ) {
        $seed = decodeBase32($otpSeed);
        if (preg_match('/\A[!-~]+\z/', $tokenSecret) !== 1) {
            throw new \InvalidArgumentException('the token secret is not one word of printable ASCII');
        }
        // Kept in closures, which var_dump and print_r of the key do not show.
        $this->otp = static fn (int $step): string => otp($seed, $step);
        $this->sign = static fn (string $text): string => hash_hmac('sha256', $text, $tokenSecret, true);
    }

    /** Reads both, one line each. */
    public static function fromFiles(string $otpSeedFile, string $tokenSecretFile): self
    {
        $seed = @file_get_contents($otpSeedFile);
        $secret = @file_get_contents($tokenSecretFile);
        if ($seed === false || $secret === false) {
            throw new \RuntimeException("$otpSeedFile or $tokenSecretFile cannot be read");
        }
        return new self(trim($seed), trim($secret));
    }

    /**
     * Returns a token for one login as localpart@domain at that moment, in seconds since 1970 in UTC, as time() gives
     * them. $nonce is for tests; without one it is random.
     */
    public function token(string $localpart, string $domain, ?int $at = null, ?string $nonce = null): string
    {
        $nonce ??= randomNonce();
        if (preg_match('/\A[0-9]{' . NONCE_DIGITS . '}\z/', $nonce) !== 1) {
            throw new \InvalidArgumentException('the nonce is not ' . NONCE_DIGITS . ' digits');
        }
        $digits = ($this->otp)(intdiv($at ?? time(), STEP_SECONDS)) . $nonce;
        return $digits . ' ' . base64_encode(($this->sign)("$digits$localpart@$domain"));
    }

    public function __debugInfo(): array
    {
        return [];
    }
}

function otp(#[\SensitiveParameter] string $seed, int $step): string
{
    $mac = hash_hmac('sha1', pack('J', $step), $seed, true);
    $truncated = unpack('N', $mac, ord($mac[19]) & 0x0f)[1] & 0x7fffffff; // RFC 4226 §5.3
    return sprintf('%08d', $truncated % 100000000);
}

function decodeBase32(#[\SensitiveParameter] string $text): string
{
    $digits = rtrim(strtoupper(preg_replace('/\s/', '', $text)), '=');
    if (preg_match('/\A[A-Z2-7]+\z/', $digits) !== 1) {
        throw new \InvalidArgumentException('the OTP seed is not base32');
    }
    $bits = '';
    foreach (str_split($digits) as $digit) {
        $bits .= sprintf('%05b', strpos('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', $digit)); // RFC 4648 §6
    }
    $octets = array_filter(str_split($bits, 8), fn (string $octet): bool => strlen($octet) === 8);
    return implode('', array_map(fn (string $octet): string => chr(bindec($octet)), $octets));
}

function randomNonce(): string
{
    $nonce = '';
    for ($i = 0; $i < NONCE_DIGITS; $i++) {
        $nonce .= random_int(0, 9);
    }
    return $nonce;
}

/**
 * Returns what the credentials URL answers for this user. Each call makes a new token.
 *
 * @return array{jid: string, password: string}
 */
function credentials(Key $key, string $userId, string $domain, bool $foldCase = false): array
{
    $name = localpart($userId, $foldCase);
    return ['jid' => "$name@$domain", 'password' => $key->token($name, $domain)];
}

/** Answers the request for the user who is logged in to the site; null if nobody is. */
function answer(Key $key, ?string $userId, string $domain, bool $foldCase = false): void
{
    header('Content-Type: application/json; charset=utf-8');
    header('Cache-Control: no-store'); // the answer is a login
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: no-referrer');
    if ($_SERVER['REQUEST_METHOD'] !== 'GET') {
        header('Allow: GET');
        say(405, ['error' => 'use GET']);
        return;
    }
    // Browsers say by this header which page asks. Pages of other origins cannot read the answer; this is a second lock.
    if (!in_array($_SERVER['HTTP_SEC_FETCH_SITE'] ?? 'none', ['same-origin', 'none'], true)) {
        say(403, ['error' => 'for pages of this site alone']);
        return;
    }
    if ($userId === null) {
        say(403, ['error' => 'log in to the site first']);
        return;
    }
    try {
        say(200, credentials($key, $userId, $domain, $foldCase));
    } catch (UserIdError $error) {
        error_log($error->getMessage());
        say(403, ['error' => 'this user id cannot have a chat account']);
    }
}

/** @param array<string, string> $body */
function say(int $status, array $body): void
{
    http_response_code($status);
    echo json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
}
