#!/usr/bin/env bash
# Makes docs/kvctl-top.svg and docs/dashboard.png anew, from a replay that runs for a minute: see pictures.py. Needs no GPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/deploy/setup.sh"
prometheus=$("$root/tests/metrics/install.sh")
environment=${XDG_CACHE_HOME:-$HOME/.cache}/kvbroker/pictures
[ -e "$environment/bin/python" ] || /usr/bin/python3 -m venv "$environment"
"$environment/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
(cd "$root" && bazel build -c opt --show_result=0 //broker:kvbrokerd //cli:kvctl //cli/exporter:kvbroker-exporter //tests/replay:replay)
bin=$(cd "$root" && bazel info -c opt bazel-bin 2>/dev/null)
exec "$environment/bin/python" "$here/pictures.py" "$bin" "$prometheus" "$root/docs"
