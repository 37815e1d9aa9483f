#!/usr/bin/env bash
# build-release.sh FILE: builds xtokend as it is passed on: without C, without paths
# of this machine, with its version, which the go command takes from git. The same
# commit and the same Go give the same bytes.
#
# GO  the go command
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CGO_ENABLED=0 "${GO:-go}" build -trimpath -buildvcs=true -ldflags='-s -w' -o "$1" ./cmd/xtokend
