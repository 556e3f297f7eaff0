#!/usr/bin/env bash
# The exporter, the alerts and the dashboard before a real Prometheus: see metrics_test.py. About a minute.
#
#   tests/metrics/run.sh [TEST ...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/deploy/setup.sh"
prometheus=$("$here/install.sh")
(cd "$root" && bazel build --show_result=0 //broker:kvbrokerd //cli:kvctl //cli/exporter:kvbroker-exporter //tests/replay:replay)
exec /usr/bin/python3 "$here/metrics_test.py" "$root/bazel-bin" "$prometheus" "$@"
