#!/usr/bin/env bash
# fuzz.sh: runs every fuzz target of the module, each for $FUZZTIME on one
# processor, $FUZZ_JOBS of them at a time.
set -euo pipefail
shopt -s inherit_errexit # a package that does not build must not be skipped
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export FUZZTIME=${FUZZTIME:-5s} GO=${GO:-go}
jobs=${FUZZ_JOBS:-$(nproc)}

# fuzz runs one target and shows the start, one line of progress in twenty, the
# end, and all there is to say of a finding.
fuzz() { # PACKAGE TARGET
  local log
  log=$(mktemp)
  try() {
    # Making interesting inputs smaller may take a minute for each by default, and
    # nearly all of the time of some targets.
    "$GO" test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 1s -parallel 1 "$1" 2>&1 | tee "$log" |
      awk -v name="${1#xtokend/} $2" '!/^fuzz: elapsed/ || n++ % 20 == 0 { print name ": " $0; fflush() }'
  }
  # Before Go 1.27 the end of -fuzztime can itself be reported as a failure, with
  # no input found (go.dev/issue/75804).
  deadline_race() {
    grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"
  }
  local status=0
  try "$1" "$2" || { deadline_race && try "$1" "$2"; } || status=1
  rm -f "$log"
  return $status
}
export -f fuzz

targets=$(for package in $("$GO" list ./...); do
  "$GO" test -list '^Fuzz' "$package" | sed -n "s|^Fuzz|$package &|p"
done)
if [ -z "$targets" ]; then
  echo 'xtokend: error: no fuzz target was found' >&2
  exit 1
fi
count=$(wc -l <<<"$targets")
echo "== fuzzing $count targets, each for $FUZZTIME, $jobs at a time"
xargs -P "$jobs" -n 2 bash -c 'set -euo pipefail; fuzz "$1" "$2"' fuzz <<<"$targets"
echo "== $count fuzz targets found nothing"
