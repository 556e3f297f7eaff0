#!/usr/bin/env bash
# The plug-in in real vLLM on this machine's CPU: see vllm_test.py. About 6 minutes, and 2 more where vLLM is not installed.
#
#   tests/vllm/run.sh [TEST ...]         such as OneEngineTest.test_cache_is_bounded; all without
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/deploy/setup.sh"
environment=$("$here/install.sh")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "building the broker and the library"
(cd "$root" && bazel build --show_result=0 //broker:kvbrokerd //cli:kvctl //client/capi:libkvbroker.so)
cp -L "$root/bazel-bin/broker/kvbrokerd" "$root/bazel-bin/cli/kvctl" "$root/bazel-bin/client/capi/libkvbroker.so" "$scratch"

echo "installing the package"
cp -r "$root/client/python" "$scratch/package"
"$environment/bin/python" -m pip install -q --no-deps --no-build-isolation --target "$scratch/site" "$scratch/package"
export PYTHONPATH=$scratch/site KVBROKER_LIBRARY=$scratch/libkvbroker.so
"$environment/bin/python" -c "import pathlib, sys; sys.path.insert(0, '$here'); import models
models.make(pathlib.Path('$scratch/model'), models.SMALL)"

logs=${TEST_LOGS:-$scratch/logs}
mkdir -p "$logs"
"$environment/bin/python" "$here/vllm_test.py" "$scratch/kvbrokerd" "$scratch/kvctl" "$environment/bin/python" \
  "$scratch/model" "$logs" "$@"
