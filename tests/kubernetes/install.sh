#!/usr/bin/env bash
# Makes a Python environment with the schemas of Kubernetes and of compose files, once, and prints where it is: 150 MB, some
# seconds.
#
#   tests/kubernetes/install.sh [DIRECTORY=~/.cache/kvbroker/kubernetes-<hash of what goes in>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../testing/environment.sh"

fill() { "$1" -m pip install -q --only-binary=:all: -r "$here/requirements.txt"; }

environment kubernetes "150 MB" "${1:-}" "$here/requirements.txt" "$0"
