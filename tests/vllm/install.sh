#!/usr/bin/env bash
# Makes a Python environment with real vLLM for CPUs in it, once, and prints where it is: 2.5 GB, about 2 minutes.
# Several tests and working trees share it; the package under test is not in it.
#
#   tests/vllm/install.sh [DIRECTORY=~/.cache/kvbroker/vllm-<hash of what goes in>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../testing/environment.sh"

fill() {
  local site
  "$1" -m pip install -q --no-deps --only-binary=:all: -r "$here/requirements.txt"
  site=$("$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  "$1" "$here/stub_cuda.py" "$site"
  # The command line asks for the version of "vllm", which this package does not call itself.
  mkdir -p "$site/vllm-0.26.0+cpu.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.26.0+cpu\n' >"$site/vllm-0.26.0+cpu.dist-info/METADATA"
}

environment vllm "2.5 GB" "${1:-}" "$here/requirements.txt" "$here/stub_cuda.py" "$0"
