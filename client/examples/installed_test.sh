#!/bin/bash
# What the examples' comments say works: the C example is built with cc alone against an installed tree, and serves with a
# real broker. The CUDA example is only built, and that where nvcc is.
#   installed_test.sh kvbrokerd libkvbroker.so kvbroker.h engine.c keep_in_arena.cu
set -euo pipefail
broker=$1
library=$2
header=$3
example=$4
cuda_example=$5

fail() {
  echo "FAILED: $*"
  tail -n +1 "$tmp"/*.log
  exit 1
}

# A short name: sockets are made in it.
tmp=$(mktemp -d /tmp/kvbXXXX)
broker_pid=
example_pid=
at_end() {
  [[ -z $example_pid ]] || kill "$example_pid" 2>/dev/null || true
  [[ -z $broker_pid ]] || kill "$broker_pid" 2>/dev/null || true
  wait
  rm -rf "$tmp"
}
trap at_end EXIT

# Waits until a line of the file has the text.
wait_for() {
  for _ in $(seq 400); do
    if grep -qF -- "$2" "$1"; then return; fi
    sleep 0.05
  done
  fail "no '$2' in $1 within 20 s"
}

export KVBROKER_RUNTIME_DIR=$tmp/run
export KVBROKER_STATE_DIR=$tmp/state
start_broker() {
  "$broker" --device host --host-memory 256MiB >"$tmp/broker.log" 2>&1 &
  broker_pid=$!
  wait_for "$tmp/broker.log" " ready "
}

prefix=$tmp/prefix
install -D -m 644 "$header" "$prefix/include/kvbroker.h"
install -D -m 755 "$library" "$prefix/lib/libkvbroker.so.0"
ln -s libkvbroker.so.0 "$prefix/lib/libkvbroker.so"

"${CC:-cc}" -std=c99 -pedantic -Wall -Wextra -Werror -o "$tmp/engine" "$example" \
  -I"$prefix/include" -L"$prefix/lib" -lkvbroker -Wl,-rpath,"$prefix/lib"

# Without a broker it says what to do.
if "$tmp/engine" >"$tmp/example.log" 2>&1; then fail "it ran without a broker"; fi
grep -qF "start one with kvbrokerd" "$tmp/example.log" || fail "it does not say how to start a broker"

# With one it serves until its input ends (engine_test.cc says more of it).
start_broker
mkfifo "$tmp/input"
"$tmp/engine" chat <"$tmp/input" >"$tmp/example.log" 2>&1 &
example_pid=$!
exec 3>"$tmp/input"
wait_for "$tmp/example.log" "grew to 12 slots"
exec 3>&-
wait "$example_pid" || fail "exit code $?"
example_pid=
grep -qxF "12 slots hold what was written to them" "$tmp/example.log" || fail "it lost what it held"

nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
if [[ -x $nvcc ]]; then
  "$nvcc" -std=c++20 -arch=sm_90 -Werror all-warnings -o "$tmp/keep_in_arena" "$cuda_example" \
    -I"$prefix/include" -L"$prefix/lib" -lkvbroker -Xlinker -rpath="$prefix/lib" || fail "nvcc $cuda_example"
else
  echo "keep_in_arena.cu is not built: there is no nvcc"
fi
