#!/usr/bin/env bash
# Builds kvbroker and runs every test that this machine can run; ends with "N passed, N failed, N skipped".
#
#   tests/run.sh                     everything
#   tests/run.sh --config=asan //common/... //broker/...
#                                    these targets, with these options of Bazel's
#   tests/run.sh --metrics           the exporter, the alerts and the dashboard before a real Prometheus (20 MB); 1 minute
#   tests/run.sh --kubernetes        manifests, compose file and CDI devices against schemas and real brokers (150 MB); half a minute
#   tests/run.sh --wheel             the Python wheel in a fresh environment, with a real broker; 1 minute
#   tests/run.sh --package           the Debian packages on a fresh Debian 12 under its systemd, as root (300 MB); 4 minutes
#   tests/run.sh --vllm              the plug-in in real vLLM on the CPU, which is installed for it (2.5 GB); 8 minutes
set -uo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" = --metrics ] && exec tests/metrics/run.sh "${@:2}"
[ "${1:-}" = --kubernetes ] && exec tests/kubernetes/run.sh "${@:2}"
[ "${1:-}" = --wheel ] && exec tests/wheel/run.sh "${@:2}"
[ "${1:-}" = --package ] && exec tests/package/run.sh
[ "${1:-}" = --vllm ] && exec tests/vllm/run.sh "${@:2}"
deploy/setup.sh || exit 1

targets=("$@")
[ $# -gt 0 ] || targets=(//...)

events=$(mktemp)
trap 'rm -f "$events"' EXIT
bazel test --keep_going --build_tests_only --test_summary=short --build_event_json_file="$events" "${targets[@]}"
bazel_exit=$?

# Google Test tells a skipped test by its output alone, so the logs are read: each test case counts once.
python3 tests/summary.py "$events" "$bazel_exit"
