<?php
declare(strict_types=1);

namespace XToken;

require_once __DIR__ . '/XToken.php';

// What the script leave may take, as long as timeout(1) counts.
const LEAVE_SECONDS = '60';
const MAX_COMPLAINT_BYTES = 500; // of what it says on standard error

/**
 * Returns the names for `xtokend accounts add`, and a line for each user id that is not among them. Of ids that would
 * share an account none gets a name.
 *
 * @param iterable<string> $userIds
 * @return array{names: list<string>, problems: list<string>}
 */
function localparts(iterable $userIds, bool $foldCase = false): array
{
    $owners = $problems = $names = [];
    foreach ($userIds as $userId) {
        try {
            $owners["\0" . localpart($userId, $foldCase)][] = $userId; // a key of digits alone would become a number
        } catch (UserIdError $error) {
            $problems[] = $error->getMessage();
        }
    }
    ksort($owners, SORT_STRING);
    foreach ($owners as $key => $ids) {
        $name = substr($key, 1);
        $ids = array_unique($ids);
        if (count($ids) > 1) {
            $problems[] = 'the user ids ' . json_encode(array_values($ids), JSON_UNESCAPED_UNICODE)
                . " would share the account $name";
        } elseif (str_starts_with($name, '#')) { // a comment to `accounts add`
            $problems[] = "the account of $name can be made at its first login alone";
        } else {
            $names[] = $name;
        }
    }
    return ['names' => $names, 'problems' => $problems];
}

/**
 * Has users leave the chat: runs contrib/issuers/leave, as $command, with $verb, which is revoke or remove, and with
 * names as localpart() returns them. It takes seconds: call it from a job, and not while a page waits. Names that have
 * left already do no harm.
 *
 * @param non-empty-list<string> $command the program and its arguments; no shell reads them
 * @param list<string> $names
 * @throws \RuntimeException with what the command complains of, if not all is done
 */
function leave(array $command, string $verb, array $names): void
{
    // Files and not pipes, of which a full one would stop both sides.
    $in = tmpfile();
    $complaint = tmpfile();
    fwrite($in, implode('', array_map(fn (string $name): string => "$name\n", $names)));
    rewind($in);
    $process = proc_open(
        ['timeout', LEAVE_SECONDS, ...$command, $verb],
        [$in, ['file', '/dev/null', 'w'], $complaint],
        $pipes,
    );
    $status = $process === false ? -1 : proc_close($process);
    if ($status !== 0) {
        rewind($complaint);
        throw new \RuntimeException("$verb: exit status $status: "
            . trim((string) stream_get_contents($complaint, MAX_COMPLAINT_BYTES)));
    }
}
