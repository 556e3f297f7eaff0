#!/usr/bin/env bash
# Unpacks Debian's Prometheus, which is not installed: it would be started as a service. Prints where its programs are.
#
#   tests/metrics/install.sh [DIRECTORY=~/.cache/kvbroker/prometheus]
set -euo pipefail
target=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/kvbroker/prometheus}
if [ ! -x "$target/usr/bin/promtool" ]; then
  mkdir -p "$target"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
  download() { (cd "$scratch" && apt-get download -qq prometheus 2>/dev/null); }
  download || { as_root apt-get update -qq && download; }
  dpkg -x "$scratch"/prometheus_*.deb "$target"
fi
echo "$target/usr/bin"
