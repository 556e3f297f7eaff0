#!/bin/bash
# The library shows the functions of its header: each of them, and nothing else.
#   exports_test.sh libkvbroker.so kvbroker.h
set -euo pipefail
library=$1
header=$2

exported=$(nm -D --defined-only "$library" | awk '{print $NF}' | sort)
declared=$(sed 's|/\*.*||; s|^ \*.*||' "$header" | grep -oE '\bkvb_[a-z_]+\(' | tr -d '(' | sort -u)
[[ -n $declared ]] || { echo "no function found in $header"; exit 1; }
if ! diff <(echo "$declared") <(echo "$exported"); then
  echo "< declared in the header, not exported; > exported, not declared"
  exit 1
fi

soname=$(readelf -d "$library" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')
[[ $soname == libkvbroker.so.0 ]] || { echo "the soname is '$soname'"; exit 1; }
