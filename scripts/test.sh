#!/usr/bin/env bash
# test.sh ARGUMENT...: go test ARGUMENT..., and in the end, when tests have failed,
# once more which, and how what they said began: the logs of servers that are shown
# with them are long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

"${GO:-go}" test "$@" 2>&1 | tee "$log" || {
  echo '== what failed'
  awk '
    /^ *--- FAIL: / || /^(FAIL|panic|fatal error)/ || /WARNING: DATA RACE/ { print; lines = 0; next }
    /^ +[A-Za-z0-9_]+\.go:[0-9]+: / { lines = 6 }
    lines-- > 0 { print substr($0, 1, 300) }' "$log"
  exit 1
}
