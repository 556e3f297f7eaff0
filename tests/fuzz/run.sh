#!/usr/bin/env bash
# Fuzzes what reads foreign bytes: frames and messages of clients, the configuration, the journal, and the broker's whole
# life. Needs clang 16 (deploy/setup.sh --ci). A finding is left in the folder that is named, and makes it fail.
#
#   tests/fuzz/run.sh            60 seconds each
#   tests/fuzz/run.sh 1800       half an hour each
#   tests/fuzz/run.sh 60 journal this one alone
set -uo pipefail
cd "$(dirname "$0")/../.."
deploy/setup.sh --ci || exit 1
seconds=${1:-60}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(frame config journal arbiter)
failed=0
found=$(mktemp -d /tmp/kvbroker-fuzz.XXXXXX)

labels=("${targets[@]/#/tests/fuzz:}")
bazel build --config=fuzz "${labels[@]/%/_fuzz}" || exit 1
for target in "${targets[@]}"; do
  echo "== $target, $seconds s"
  mkdir -p "$found/$target/corpus"
  # New inputs go to the first folder; the kept ones are read.
  "bazel-bin/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=4096 \
    -artifact_prefix="$found/$target/" -verbosity=0 -print_final_stats=1 \
    "$found/$target/corpus" "tests/fuzz/corpus/$target" 2>"$found/$target/log"
  status=$?
  grep -E "number_of_executed_units|average_exec" "$found/$target/log"
  if [ $status -ne 0 ]; then
    tail -40 "$found/$target/log"
    echo "found: $found/$target"
    failed=1
  fi
done
[ $failed -ne 0 ] || rm -rf "$found"
exit $failed
