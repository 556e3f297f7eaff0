#!/usr/bin/env bash
# Makes docs/kvctl-top.svg and docs/dashboard.png anew, from a replay that runs for a minute: see pictures.py. Needs no GPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/deploy/setup.sh"
prometheus=$("$root/tests/metrics/install.sh")
. "$root/tests/testing/environment.sh"
fill() { "$1" -m pip install -q --only-binary=:all: -r "$here/requirements.txt"; }
environment=$(environment pictures "150 MB" "" "$here/requirements.txt")
(cd "$root" && bazel build -c opt --show_result=0 //broker:kvbrokerd //cli:kvctl //cli/exporter:kvbroker-exporter //tests/replay:replay)
bin=$(cd "$root" && bazel info -c opt bazel-bin 2>/dev/null)
exec "$environment/bin/python" "$here/pictures.py" "$bin" "$prometheus" "$root/docs"
