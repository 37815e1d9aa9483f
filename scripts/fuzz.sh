#!/usr/bin/env bash
# fuzz.sh: runs every fuzz target of the module, each for $FUZZTIME.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${FUZZTIME:=5s}" "${GO:=go}"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

fuzz() { # PACKAGE TARGET
  "$GO" test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" "$1" 2>&1 | tee "$log"
}

# Before Go 1.27 the end of -fuzztime can itself be reported as a failure, with
# no input found (go.dev/issue/75804).
is_deadline_race() {
  grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"
}

targets=0
for package in $("$GO" list ./...); do
  list=$("$GO" test -list '^Fuzz' "$package")
  for target in $(grep '^Fuzz' <<<"$list" || true); do
    echo "== fuzzing $package $target for $FUZZTIME"
    targets=$((targets + 1))
    fuzz "$package" "$target" || { is_deadline_race && fuzz "$package" "$target"; }
  done
done
if [ "$targets" -eq 0 ]; then
  echo 'xtokend: error: no fuzz target was found' >&2
  exit 1
fi
echo "== $targets fuzz targets found nothing"
