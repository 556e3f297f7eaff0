#!/usr/bin/env bash
# The Debian packages on a fresh Debian 12 with a real systemd, in a container of systemd-nspawn: see on_the_node.sh. Needs root
# and a kernel that lets it; else it says so and is skipped. Some 4 minutes, and 1 more the first time.
#
#   tests/package/run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
skip() { echo "skipped: $1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }

[ "$(id -u)" = 0 ] || skip "a container with a systemd needs root"
"$root/deploy/setup.sh" --node

fresh=${XDG_CACHE_HOME:-$HOME/.cache}/kvbroker/debian-12
if [ ! -e "$fresh/complete" ]; then
  echo "making a fresh Debian 12 in $fresh (300 MB)"
  rm -rf "$fresh"
  mkdir -p "$fresh"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,udev bookworm "$fresh/root" >"$fresh/log" ||
    { tail -3 "$fresh/log"; skip "debootstrap failed"; }
  touch "$fresh/complete"
fi

scratch=$(mktemp -d /tmp/kvbnodeXXXXXX)
trap 'rm -rf "$scratch"' EXIT
cp -a "$fresh/root" "$scratch/node"
if ! systemd-nspawn --quiet --register=no --keep-unit -D "$scratch/node" true 2>"$scratch/why"; then
  skip "systemd-nspawn cannot run here: $(tail -1 "$scratch/why")"
fi

"$root/deploy/deb.sh" "$scratch/node/test"
echo "lintian"
lintian --fail-on warning "$scratch"/node/test/*.deb
(cd "$root" && bazel build -c opt --show_result=0 //tests/replay:replay)
cp -L "$(cd "$root" && bazel info -c opt bazel-bin 2>/dev/null)/tests/replay/replay" "$scratch/node/test/"
cp "$here/on_the_node.sh" "$scratch/node/test/"
cat >"$scratch/node/etc/systemd/system/node-test.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /test/on_the_node.sh
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=file:/test/output
StandardError=file:/test/output
TimeoutStartSec=600
[Install]
WantedBy=multi-user.target
END
ln -s /etc/systemd/system/node-test.service "$scratch/node/etc/systemd/system/multi-user.target.wants/node-test.service"

echo "booting the node"
timeout 700 systemd-nspawn --quiet --register=no --keep-unit -D "$scratch/node" --boot >"$scratch/console" 2>&1 || true
if [ ! -e "$scratch/node/test/output" ]; then
  tail -20 "$scratch/console"
  grep -q 'Debian GNU/Linux' "$scratch/console" || skip "no systemd boots in a container here"
fi
cat "$scratch/node/test/output"
passed=$(grep -c '^ok ' "$scratch/node/test/output" || true)
failed=$(grep -c '^FAILED ' "$scratch/node/test/output" || true)
grep -q '^done$' "$scratch/node/test/output" || { echo "FAILED it did not come to its end"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
