<?php
// Answers each request on standard input with what the issuer makes of it; see issuers_test.go.
declare(strict_types=1);

require __DIR__ . '/../php/XToken.php';

$key = new XToken\Key($argv[1], $argv[2]);
while (($line = fgets(STDIN)) !== false) {
    $r = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
    try {
        $name = XToken\localpart($r['user_id'], $r['fold_case']);
        $answer = ['localpart' => $name, 'token' => $key->token($name, $r['domain'], $r['at'], $r['nonce'])];
    } catch (XToken\UserIdError $error) {
        $answer = ['error' => $error->getMessage()];
    }
    echo json_encode($answer, JSON_THROW_ON_ERROR), "\n";
}
