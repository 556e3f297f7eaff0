#!/bin/bash
# Runs on a fresh Debian 12, as root, under its systemd: installs the packages in /test, and uses, upgrades, removes and purges
# them. Writes a line for each thing that must hold.
set -u
export DEBIAN_FRONTEND=noninteractive
cd /test || exit 1

say() { if [ "$2" = 0 ]; then echo "ok $1"; else echo "FAILED $1"; fi; }
check() {  # NAME COMMAND ...
  local name=$1 output status
  shift
  output=$("$@" 2>&1)
  status=$?
  say "$name" $status
  [ $status = 0 ] || printf '%s\n' "$output" | sed 's/^/    /' | tail -15
}
eventually() {  # NAME COMMAND ...
  local name=$1
  shift
  for _ in $(seq 100); do "$@" >/dev/null 2>&1 && { echo "ok $name"; return; }; sleep 0.2; done
  check "$name" "$@"
}
pid() { systemctl show -P MainPID kvbrokerd@host; }
# Files of ours, but below the paths that the tests of find name; the development package's may be there.
none_left() {
  local left
  left=$(find / \( -path /test -o -path /proc -o -path /sys -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/lib/apt \
    -o -path /var/log -o -path /var/lib/prometheus -o -path '/usr/share/*/libkvbroker*' -o -path /tmp -o "$@" \) -prune -o \
    \( -name '*kvb*' -o -name '*kvctl*' \) ! -name 'libkvbroker.so*' ! -name kvbroker.h ! -name kvbroker.pc -print)
  [ -z "$left" ] || { echo "$left"; return 1; }
}

echo "== install"
apt-get update -qq
check "the packages install" apt-get install -y -qq ./kvbroker_*.deb ./libkvbroker0_*.deb ./libkvbroker-dev_*.deb
check "the target is enabled and runs" systemctl is-active kvbroker.target
check "the exporter runs" systemctl is-active kvbroker-exporter
check "the units are sound" systemd-analyze verify --man=no kvbrokerd@host.service kvbrokerd@host.socket kvbroker.target kvbroker-gpus.service kvbroker-exporter.service
for unit in kvbrokerd@host kvbroker-exporter; do
  check "$(systemd-analyze security --no-pager $unit.service | tail -1 | sed 's/.*Overall/the &/; s/ [^ ]*$//')" \
    systemd-analyze security --no-pager --threshold=25 $unit.service
done
check "there are man pages" test -s /usr/share/man/man8/kvbrokerd.8.gz -a -s /usr/share/man/man1/kvctl.1.gz
check "kvctl is completed" bash -n /usr/share/bash-completion/completions/kvctl
check "the example configuration is a good one" kvbrokerd --check

echo "== run"
check "a broker starts under its unit" systemctl start kvbrokerd@host
check "it runs as a user of its own" test "$(stat -c %U "/proc/$(pid)")" = kvbroker
check "it tells systemd what it does" bash -c 'systemctl show -P StatusText kvbrokerd@host | grep -q "^lends 0 B of 2 GiB to 0 sessions$"'
check "root may use kvctl" kvctl status
useradd -G kvbroker alice
useradd mallory
check "a member of the group kvbroker may" su alice -c 'kvctl tenant chat --create --guarantee 200MiB'
check "who is none may not" bash -c '! su mallory -c "kvctl status"'
check "a tenant is limited" kvctl limit chat 512MiB
check "what was set is kept" grep -q '536870912' /var/lib/kvbroker/HOST-host/policy.textproto
check "the log is in the journal" bash -c 'journalctl -u kvbrokerd@host | grep -q "ready device=HOST-host"'
replay=(/test/replay --tenants chat,jobs --reserve 1GiB --slot 2MiB --low 4 --high 16 --kv-bytes-per-token 32KiB
  --step-time 15ms --quiet)
echo 'tenant { name: "file" limit: "256MiB" } default_tenant {}' >>/etc/kvbroker/broker.textproto
check "the configuration is reloaded" systemctl reload kvbrokerd@host
eventually "without a restart" bash -c 'kvctl tenant file --json | grep -q 268435456'
check "engines are served" su alice -c "${replay[*]} --ramp 2s"

echo "== end and come back"
before=$(pid)
kill -9 "$before"
eventually "a broker that is killed is started again" bash -c '[ "$(systemctl show -P MainPID kvbrokerd@host)" -gt 1 ] && kvctl status'
check "it is another one" test "$(pid)" != "$before"
check "the tenant's policy is what was set" bash -c 'kvctl tenant chat --json | grep -q 536870912'
mkdir -p /run/systemd/system/kvbrokerd@.service.d
printf '[Service]\nWatchdogSec=1s\n' >/run/systemd/system/kvbrokerd@.service.d/quick.conf
systemctl daemon-reload
systemctl restart kvbrokerd@host
sleep 3
before=$(pid)
check "a watchdog of one second is fed" test "$(systemctl show -P NRestarts kvbrokerd@host)" -le 1 -a "$before" -gt 1
kill -STOP "$before"
eventually "a broker that hangs is replaced" bash -c "[ \"\$(systemctl show -P MainPID kvbrokerd@host)\" != $before ] && kvctl status"
rm -r /run/systemd/system/kvbrokerd@.service.d
systemctl daemon-reload
cp /etc/kvbroker/broker.textproto /test/good
echo 'tenant { name: "a" weight: "heavy" }' >/etc/kvbroker/broker.textproto
systemctl restart kvbrokerd@host 2>/dev/null
sleep 1
check "a configuration that is wrong is told once" test "$(systemctl show -P Result,NRestarts kvbrokerd@host | paste -sd' ')" = "exit-code 0"
check "and says where" bash -c 'journalctl -u kvbrokerd@host | grep -q "/etc/kvbroker/broker.textproto"'
printf 'tenant { name: "a" guarantee: "60%%" } tenant { name: "b" guarantee: "60%%" }\n' >/etc/kvbroker/broker.textproto
systemctl reset-failed kvbrokerd@host
systemctl restart kvbrokerd@host 2>/dev/null
sleep 1
check "so is one whose promises do not fit" test "$(systemctl show -P Result,NRestarts kvbrokerd@host | paste -sd' ')" = "exit-code 0"
cp /test/good /etc/kvbroker/broker.textproto
check "a good one starts" systemctl restart kvbrokerd@host

echo "== what operators ask for"
check "a tenant is trimmed" bash -c 'kvctl trim chat --to 100MiB | grep -q "no more than that"'
check "no new sessions are admitted" kvctl drain
"${replay[@]}" --ramp 1s >/test/drained 2>&1
check "who comes is told so" grep -q "is drained" /test/drained
check "a tenant that was set is deleted" bash -c 'kvctl tenant night --create --weight 7 && kvctl tenant night --delete && ! kvctl tenant night'
check "all that is known is one document" bash -c 'kvctl dump | grep -q "\"events\""'
check "the broker lets go of its device" kvctl detach --wait
sleep 1
check "systemd leaves it at that" test "$(systemctl show -P Result,SubState kvbrokerd@host | paste -sd' ')" = "success dead"

echo "== socket activation"
mkdir -p /run/systemd/system/kvbrokerd@host.socket.d
printf '[Socket]\nExecStartPre=/usr/bin/install -d -o kvbroker -g kvbroker /run/kvbroker/HOST-host\nListenSequentialPacket=\nListenSequentialPacket=/run/kvbroker/HOST-host/engine.sock\n' \
  >/run/systemd/system/kvbrokerd@host.socket.d/path.conf
systemctl daemon-reload
check "systemd listens for a broker that is not there" systemctl start kvbrokerd@host.socket
check "an engine that comes starts it" su alice -c "${replay[*]} --ramp 1s"
check "it runs under its unit" systemctl is-active kvbrokerd@host
kill -9 "$(pid)"
check "who comes meanwhile waits for the next one" su alice -c "${replay[*]} --ramp 1s"
systemctl stop -q kvbrokerd@host 2>/dev/null
check "a broker that ends leaves systemd its socket" test -S /run/kvbroker/HOST-host/engine.sock
check "the socket is stopped" systemctl stop kvbrokerd@host.socket
rm -r /run/systemd/system/kvbrokerd@host.socket.d
systemctl daemon-reload
check "and the broker is started without it" systemctl restart kvbrokerd@host

echo "== brokers of GPUs"
mkdir -p /test/gpus/0000:3b:00.0 /test/gpus/0000:5e:00.0
printf 'Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-8f14e45f-ceea-467d-9ab3-0123456789ab\n' >/test/gpus/0000:3b:00.0/information
printf 'Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-????????-????-????-????-????????????\n' >/test/gpus/0000:5e:00.0/information
check "one is started for each GPU" /usr/lib/kvbroker/start-gpus /test/gpus
eventually "it is named after the GPU" bash -c 'journalctl -u kvbrokerd@GPU-8f14e45f-ceea-467d-9ab3-0123456789ab | grep -q "Starting"'
systemctl stop kvbrokerd@GPU-8f14e45f-ceea-467d-9ab3-0123456789ab
systemctl mask -q kvbrokerd@GPU-8f14e45f-ceea-467d-9ab3-0123456789ab
check "one that is masked is left alone" /usr/lib/kvbroker/start-gpus /test/gpus
systemctl unmask -q kvbrokerd@GPU-8f14e45f-ceea-467d-9ab3-0123456789ab

echo "== metrics"
apt-get install -y -qq --no-install-recommends prometheus >/dev/null 2>&1
cat >/etc/prometheus/prometheus.yml <<'END'
scrape_configs: [{job_name: kvbroker, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:9476"]}]}]
rule_files: [/usr/share/kvbroker/prometheus/kvbroker.rules.yml]
END
systemctl restart prometheus
query() {
  exec 3<>/dev/tcp/127.0.0.1/9090 || return 1
  printf 'GET /api/v1/query?query=%s HTTP/1.0\r\n\r\n' "$1" >&3
  cat <&3
}
scraped() { query "$1" | grep -q "$2"; }
eventually "Prometheus scrapes the exporter" scraped kvbroker_up '"UUID":"HOST-host".*"1"'
check "with the tenant's limit" scraped kvbroker_tenant_limit_bytes '"tenant":"chat".*"536870912"'

echo "== upgrade"
"${replay[@]}" --ramp 20s --broker-restarts >/test/table 2>&1 &
load=$!
sleep 6
before=$(pid)
check "the packages are installed anew" apt-get install -y -qq --reinstall ./kvbroker_*.deb
eventually "the broker is a new one" bash -c "[ \"\$(systemctl show -P MainPID kvbrokerd@host)\" -gt 1 ] && [ \"\$(systemctl show -P MainPID kvbrokerd@host)\" != $before ]"
wait $load
say "engines have served on" $?
tail -3 /test/table | sed 's/^/    /'

echo "== remove and purge"
check "the packages are removed" apt-get remove -y -qq kvbroker
check "no broker runs" bash -c '! ls -l /proc/*/exe 2>/dev/null | grep -e kvbroker -e kvctl'
check "configuration and state are left" test -e /etc/kvbroker/broker.textproto -a -e /var/lib/kvbroker/HOST-host/policy.textproto
# systemd's own notes of what was enabled are left as well, as of every Debian package.
check "and nothing else" none_left -path '*/deb-systemd-helper-enabled' -o -path '*.wants' -o -path /etc/kvbroker -o \
  -path /var/lib/kvbroker -o -path /run/kvbroker
check "the packages are purged" apt-get purge -y -qq kvbroker libkvbroker0 libkvbroker-dev
check "which leaves nothing" none_left -path /nowhere
check "nor a user" bash -c '! getent passwd kvbroker && ! getent group kvbroker'
echo "done"
