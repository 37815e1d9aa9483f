<?php
// Answers each request on standard input with what the issuer makes of it; see issuers_test.go.
declare(strict_types=1);

require __DIR__ . '/../php/accounts.php';

function left(array $command, string $verb, array $names): array
{
    try {
        XToken\leave($command, $verb, $names);
        return ['error' => ''];
    } catch (RuntimeException $error) {
        return ['error' => $error->getMessage()];
    }
}

$key = new XToken\Key($argv[1], $argv[2]);
while (($line = fgets(STDIN)) !== false) {
    $r = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
    if (isset($r['user_ids']) || isset($r['command'])) {
        $answer = isset($r['command'])
            ? left($r['command'], $r['verb'], $r['names'])
            : XToken\localparts($r['user_ids'], $r['fold_case']);
        echo json_encode($answer, JSON_THROW_ON_ERROR), "\n";
        continue;
    }
    try {
        $name = XToken\localpart($r['user_id'], $r['fold_case']);
        $answer = ['localpart' => $name, 'token' => $key->token($name, $r['domain'], $r['at'], $r['nonce'])];
    } catch (XToken\UserIdError $error) {
        $answer = ['error' => $error->getMessage()];
    }
    echo json_encode($answer, JSON_THROW_ON_ERROR), "\n";
}
