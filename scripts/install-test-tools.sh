#!/usr/bin/env bash
# install-test-tools.sh TOOL...: installs the tools named that are missing, on
# Debian 12. TOOL is the name of a Debian package, or the folder of an npm project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'xtokend: error: %s\nxtokend: hint: %s\n' "$1" "$2" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "these packages are missing: ${missing[*]}" \
      "run as root: apt-get install --no-install-recommends ${missing[*]}"
  fi
}

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
  command -v apt-get >/dev/null ||
    fail "these packages are missing: ${missing[*]}" \
      "install them by this system's own means; only Debian's apt-get is known here"
  echo "== installing ${missing[*]}"
  as_root apt-get update --quiet=2
  keep_servers_down
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}" </dev/null >/dev/null
  let_servers_up
  for server in prosody ejabberd redis-server haproxy prometheus; do
    case " ${missing[*]} " in
      *" $server "*) echo "'systemctl disable $server' keeps Debian's own from being started at the next boot." ;;
    esac
  done
}

# Debian's packages start the servers in them, which nothing here uses, and which
# would take the ports of others, unless a policy forbids it: see invoke-rc.d(8).
policy=/usr/sbin/policy-rc.d
keep_servers_down() {
  if [ -e "$policy" ]; then return; fi # this system has rules of its own
  trap let_servers_up EXIT
  printf '#!/bin/sh\n# by xtokend, while it installs test tools\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

let_servers_up() {
  if grep --quiet 'by xtokend' "$policy" 2>/dev/null; then as_root rm -f "$policy"; fi
}

# @xmpp/client 0.14 needs Node 20.10, which Debian 12 does not have.
need_node() {
  command -v npm >/dev/null ||
    fail 'npm was not found' 'install Node.js 20.10 or later, with npm, and run this again'
  node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 10) ? 0 : 1);' ||
    fail "Node.js $(node --version) is too old" 'install Node.js 20.10 or later'
}

install_project() {
  local stamp=$1/node_modules/.package-lock.json
  if [ ! -e "$stamp" ] || [ "$1/package-lock.json" -nt "$stamp" ]; then
    echo "== installing the npm project $1"
    npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
  fi
}

missing=()
projects=()
for tool in "$@"; do
  if [ -e "$tool/package.json" ]; then
    projects+=("$tool")
  elif ! installed "$tool"; then
    missing+=("$tool")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then install_packages; fi
if [ ${#projects[@]} -gt 0 ]; then need_node; fi
for project in "${projects[@]}"; do install_project "$project"; done
