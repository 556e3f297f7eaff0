#!/usr/bin/env bash
# The wheel in a fresh environment that has nothing else in it, not even torch, with a real broker: see wheel_test.py. A minute, and
# what building takes.
#
#   tests/wheel/run.sh [TEST ...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/deploy/setup.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$root/deploy/wheel.sh" "$scratch/dist"
(cd "$root" && bazel build -c opt --show_result=0 //broker:kvbrokerd //cli:kvctl)
bin=$(cd "$root" && bazel info -c opt bazel-bin 2>/dev/null)
/usr/bin/python3 -m venv "$scratch/fresh"
"$scratch/fresh/bin/pip" install -q --disable-pip-version-check --no-index "$scratch"/dist/kvbroker-*.whl
/usr/bin/python3 "$here/wheel_test.py" "$bin" "$scratch/dist" "$scratch/fresh/bin/python" "$@"
