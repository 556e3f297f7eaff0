#!/usr/bin/env bash
# Builds the Debian packages: kvbroker (the broker, kvctl, the exporter, their units), libkvbroker0 and libkvbroker-dev.
#
#   deploy/deb.sh [DIRECTORY=dist]       writes *.deb
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "${1:-dist}" && cd "${1:-dist}" && pwd)
"$root/deploy/setup.sh" --deb

echo "building"
cd "$root"
bazel build -c opt --show_result=0 //broker:kvbrokerd //cli:kvctl //cli/exporter:kvbroker-exporter //client/capi:libkvbroker.so
BUILT=$(bazel info -c opt bazel-bin 2>/dev/null)
export BUILT TREE=$root

echo "packing"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)";/\1/p' common/base/version.h)
mkdir "$scratch/kvbroker"
cp -r deploy/debian "$scratch/kvbroker/debian"
cd "$scratch/kvbroker"
[[ $(dpkg-parsechangelog -S Version) == "$version"-* ]] ||
  { echo "deb.sh: the changelog's version is $(dpkg-parsechangelog -S Version), the program's $version" >&2; exit 1; }
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
sed "s|@PREFIX@|/usr|; s|@LIBDIR@|/usr/lib/$multiarch|; s|@VERSION@|$version|" "$root/deploy/kvbroker.pc.in" >debian/kvbroker.pc
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
mv "$scratch"/*.deb "$out/"
ls "$out"/*kvbroker*_"$version"-*.deb
