#!/usr/bin/env bash
# The manifests, the compose file and the CDI devices against their schemas, and with real brokers and clients: see test.py.
# Some seconds.
#
#   tests/kubernetes/run.sh [TEST ...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/deploy/setup.sh"
environment=$("$here/install.sh")
(cd "$root" && bazel build --show_result=0 //broker:kvbrokerd //cli:kvctl //client/capi:libkvbroker.so)
exec "$environment/bin/python" "$here/test.py" "$root/bazel-bin" "$@"
