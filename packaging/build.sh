#!/usr/bin/env bash
# build.sh [FOLDER]: makes the Debian package of xtokend in FOLDER (bin), for the
# machine that GOARCH names. The same commit and the same Go give the same bytes.
#
# GO  the go command
# DEBFULLNAME, DEBEMAIL  who the package is from, for those who pass it on
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# 2.46 and later need modules that the module mirror does not serve.
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
go=${GO:-go}
folder=${1:-bin}
staged=bin/package
export MAINTAINER="${DEBFULLNAME:-the xtokend authors} <${DEBEMAIL:-xtokend@localhost}>"

rm -rf "$staged"
mkdir -p "$staged" "$folder"
scripts/build-release.sh "$staged/xtokend"
for shell in bash zsh fish; do
  GOOS='' GOARCH='' "$go" run ./cmd/xtokend completion "$shell" >"$staged/completion.$shell"
done
GOOS='' GOARCH='' "$go" run ./packaging/stage "$staged/xtokend" "$staged" >"$staged/environment"
set -a
. "$staged/environment"
set +a
rm -f "$folder"/xtokend_*_"$ARCH".deb # of other versions
GOOS='' GOARCH='' "$go" run "$nfpm" package --config packaging/nfpm.yaml --packager deb --target "$folder" >/dev/null
echo "$folder/xtokend_${VERSION}_$ARCH.deb"
