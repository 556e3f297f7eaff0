#!/usr/bin/env bash
# Builds kvbroker and installs it for this machine: the broker, its command, and the library that engines link.
#
#   deploy/install.sh                        into /usr/local (as root)
#   deploy/install.sh --prefix ~/.local      into a folder of yours
#
#   PREFIX/bin/kvbrokerd, kvctl              need nothing of what they were built with
#   PREFIX/include/kvbroker.h
#   PREFIX/lib/libkvbroker.so, .so.0         needs the shared libraries of gRPC, protobuf and Abseil
#   PREFIX/lib/pkgconfig/kvbroker.pc
#
# Running it again replaces what is there; brokers and engines that are running keep what they started with.
set -euo pipefail

usage() {
  sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
}

prefix=/usr/local
while [[ $# -gt 0 ]]; do
  case $1 in
    --prefix)
      [[ $# -ge 2 && -n $2 ]] || { echo "install.sh: --prefix needs a folder" >&2; exit 2; }
      prefix=$2
      shift 2
      ;;
    --prefix=?*) prefix=${1#*=}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "install.sh: what is '$1'? See $0 --help" >&2; exit 2 ;;
  esac
done

# Before minutes of building: whether it can be installed there.
mkdir -p "$prefix" 2>/dev/null || true
[[ -d $prefix && -w $prefix ]] || {
  echo "install.sh: $prefix cannot be written: run it as root, or choose another with --prefix" >&2
  exit 1
}
prefix=$(cd "$prefix" && pwd)
cd "$(dirname "$0")/.."

bazel build -c opt //broker:kvbrokerd //cli:kvctl //client/capi:libkvbroker.so
built=$(bazel info -c opt bazel-bin 2>/dev/null)
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)";/\1/p' common/base/version.h)

put() {  # MODE FILE DESTINATION; replaced whole, by a rename: whoever uses the old file keeps it
  mkdir -p "$(dirname "$3")"
  install -m "$1" "$2" "$3.new"
  [[ $1 != 755 ]] || strip --strip-unneeded "$3.new"
  mv -f "$3.new" "$3"
  echo "installed $3"
}

put 755 "$built/broker/kvbrokerd" "$prefix/bin/kvbrokerd"
put 755 "$built/cli/kvctl" "$prefix/bin/kvctl"
put 755 "$built/client/capi/libkvbroker.so" "$prefix/lib/libkvbroker.so.0"
ln -sfn libkvbroker.so.0 "$prefix/lib/libkvbroker.so"
echo "installed $prefix/lib/libkvbroker.so, a link to libkvbroker.so.0"
put 644 client/capi/kvbroker.h "$prefix/include/kvbroker.h"

pc=$(mktemp)
trap 'rm -f "$pc"' EXIT
sed "s|@PREFIX@|$prefix|; s|@LIBDIR@|\${prefix}/lib|; s|@VERSION@|$version|" deploy/kvbroker.pc.in >"$pc"
put 644 "$pc" "$prefix/lib/pkgconfig/kvbroker.pc"

# Where programs look for libraries by themselves, the loader is told; elsewhere they need a word.
if [[ $EUID == 0 ]] && ldconfig -v -N -X 2>/dev/null | grep -q "^$prefix/lib:"; then
  ldconfig
  echo "told the loader of $prefix/lib"
elif [[ $prefix != /usr && $prefix != /usr/local ]]; then
  echo "programs find the library with -Wl,-rpath,$prefix/lib or LD_LIBRARY_PATH=$prefix/lib"
else
  echo "run ldconfig as root once, so that programs find the library"
fi
echo "kvbroker $version is installed in $prefix"
