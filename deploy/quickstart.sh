#!/usr/bin/env bash
# Shows kvbroker at work: installs what is missing, builds, starts a broker on the GPU if there is one (else on host
# memory), replays three models whose peaks together are more than there is, watches them live, and ends with the table.
# Leaves nothing running. Takes a few minutes the first time, under one afterwards.
#
#   deploy/quickstart.sh               on the GPU, or host memory
#   deploy/quickstart.sh --host        on host memory in any case
set -euo pipefail
cd "$(dirname "$0")/.."

device=auto
case "${1:-}" in
  "") ;;
  --host) device=host ;;
  *) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; [ "$1" = --help ] && exit 0 || exit 2 ;;
esac

deploy/setup.sh
echo "building (the first time takes minutes)"
bazel build -c opt --ui_event_filters=-info,-stdout,-stderr --show_result=0 \
  //broker:kvbrokerd //cli:kvctl //tests/replay:replay
bin=$(bazel info -c opt bazel-bin 2>/dev/null)

# Sockets want short paths.
dir=$(mktemp -d /tmp/kvbXXXXXX)
export KVBROKER_RUNTIME_DIR=$dir
broker='' watch=''
finish() {
  for process in $watch $broker; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT INT TERM

if [ "$device" = auto ] && ! nvidia-smi -L >/dev/null 2>&1; then device=host; fi
if [ "$device" = host ]; then
  # Three models with 32 KiB of KV cache a token: small enough for a laptop, and more than there is all the same.
  memory=(--device host --host-memory 1GiB)
  load=(--reserve 1GiB --slot 2MiB --low 4 --high 16 --kv-bytes-per-token 32KiB --ramp 4s --step-time 15ms)
else
  memory=(--device cuda:0 --capacity 16GiB)
  load=(--reserve 60GiB --slot 32MiB --ramp 8s --peak-rate 20 --step-time 40ms)
fi

"$bin/broker/kvbrokerd" "${memory[@]}" --tenant chat=80% --tenant code=80% --tenant batch=80% 2>"$dir/log" &
broker=$!
for _ in $(seq 100); do
  grep -q ' ready ' "$dir/log" && break
  kill -0 $broker 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
  sleep 0.1
done
grep ' ready ' "$dir/log"

# On a terminal the bars are redrawn in place; in a pipe there is a line a second.
interval=1s
if [ -t 1 ]; then interval=250ms; fi
"$bin/cli/kvctl" watch --interval "$interval" &
watch=$!
status=0
"$bin/tests/replay/replay" --tenants chat,code,batch "${load[@]}" --quiet --svg "$dir/replay.svg" >"$dir/table" || status=$?
kill -INT $watch 2>/dev/null || true
wait $watch 2>/dev/null || true
watch=''

echo
cat "$dir/table"
cp "$dir/replay.svg" replay.svg 2>/dev/null && echo "who held what when: replay.svg"
exit $status
