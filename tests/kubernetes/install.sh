#!/usr/bin/env bash
# Makes a Python environment with the schemas of Kubernetes and of compose files, once, and prints where it is: 150 MB, some
# seconds.
#
#   tests/kubernetes/install.sh [DIRECTORY=~/.cache/kvbroker/kubernetes-<hash of what goes in>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
recipe=$(cat "$here/requirements.txt" "$0" | sha256sum | cut -c1-12)
target=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/kvbroker/kubernetes-$recipe}

if [ ! -e "$target/complete" ]; then
  mkdir -p "$(dirname "$target")"
  exec 9>"$target.lock"
  flock 9
fi
if [ ! -e "$target/complete" ]; then
  echo "installing the schemas into $target (150 MB)" >&2
  rm -rf "$target"
  /usr/bin/python3 -m venv "$target"
  "$target/bin/python" -m pip install -q --only-binary=:all: -r "$here/requirements.txt" >&2
  touch "$target/complete"
fi
echo "$target"
