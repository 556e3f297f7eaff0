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
  (cd "$scratch" && apt-get download -qq prometheus 2>/dev/null) ||
    { echo "apt-get download prometheus failed; apt-get update may help" >&2; exit 1; }
  dpkg -x "$scratch"/prometheus_*.deb "$target"
fi
echo "$target/usr/bin"
