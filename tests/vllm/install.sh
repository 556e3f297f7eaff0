#!/usr/bin/env bash
# Makes a Python environment with real vLLM for CPUs in it, once, and prints where it is: 2.5 GB, about 2 minutes.
# Several tests and working trees share it; the package under test is not in it.
#
#   tests/vllm/install.sh [DIRECTORY=~/.cache/kvbroker/vllm-<hash of what goes in>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
recipe=$(cat "$here/requirements.txt" "$here/stub_cuda.py" "$0" | sha256sum | cut -c1-12)
target=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/kvbroker/vllm-$recipe}

if [ ! -e "$target/complete" ]; then
  mkdir -p "$(dirname "$target")"
  exec 9>"$target.lock"
  flock 9
fi
if [ ! -e "$target/complete" ]; then
  echo "installing vLLM for CPUs into $target (2.5 GB)" >&2
  rm -rf "$target"
  /usr/bin/python3 -m venv "$target"
  "$target/bin/python" -m pip install -q --no-deps --only-binary=:all: -r "$here/requirements.txt" >&2
  site=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$target/bin/python" "$here/stub_cuda.py" "$site"
  # The command line asks for the version of "vllm", which this package does not call itself.
  mkdir -p "$site/vllm-0.26.0+cpu.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.26.0+cpu\n' >"$site/vllm-0.26.0+cpu.dist-info/METADATA"
  touch "$target/complete"
fi
echo "$target"
