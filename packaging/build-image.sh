#!/usr/bin/env bash
# build-image.sh [TAG]: builds the container image of xtokend.
#
# GO      the go command
# ENGINE  docker, or what takes the same arguments: podman
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=bin/image
rm -rf "$root"
mkdir -p "$root"/{usr/bin,etc/xtokend,run/xtokend,var/lib/xtokend}
scripts/build-release.sh "$root/usr/bin/xtokend"
"${ENGINE:-docker}" build --quiet --file Dockerfile --tag "${1:-xtokend}" "$root"
