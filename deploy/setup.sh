#!/usr/bin/env bash
# Installs what building and testing kvbroker needs, on Debian 12 (Ubuntu 24.04 has the same packages; untried there).
# Does nothing where everything is there. Needs root, or sudo.
#
#   deploy/setup.sh            what the build and the tests need
#   deploy/setup.sh --ci       clang and its sanitizers, clang-format too
#   deploy/setup.sh --deb      what packing needs too
#   deploy/setup.sh --node     a container with a systemd in it, to try the packages in
set -euo pipefail

packages=(g++ git pkg-config python3 bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev libssl-dev libc-ares-dev libre2-dev
  zlib1g-dev libgtest-dev libgmock-dev libbenchmark-dev libcli11-dev prometheus-cpp-dev python3-numpy python3-venv)
case "${1:-}" in
  --ci) packages+=(clang-16 libclang-rt-16-dev clang-format-14) ;;
  --deb) packages+=(dpkg-dev debhelper help2man lintian) ;;
  --node) packages+=(systemd-container debootstrap) ;;
esac

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# cuda.h, to compile the CUDA device with; libcuda itself is opened at run time. Without a toolkit it comes from the
# runtime package of the Python registry, which carries the headers.
headers=/usr/local/share/kvbroker/cuda
if [ ! -e "${CUDA_HOME:-/usr/local/cuda}/include/cuda.h" ] && [ ! -e "$headers/include/cuda.h" ]; then
  echo "fetching the CUDA headers"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  python3 -m pip --version >/dev/null 2>&1 ||
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-pip >/dev/null
  python3 -m pip download -q --no-deps --only-binary=:all: -d "$scratch" nvidia-cuda-runtime-cu12==12.9.79
  python3 -m zipfile -e "$scratch"/*.whl "$scratch/unpacked"
  as_root mkdir -p "$headers"
  as_root cp -r "$scratch/unpacked/nvidia/cuda_runtime/include" "$headers/"
fi
