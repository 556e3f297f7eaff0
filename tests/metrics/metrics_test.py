"""What the exporter says, read by a real Prometheus from a real broker under load; the alerts and the dashboard ask for
nothing that is not there.

metrics_test.py BAZEL_BIN PROMETHEUS [TEST ...]
PROMETHEUS is the folder of prometheus and promtool.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import time
import unittest
from collections.abc import Callable
from typing import Any

BIN, PROMETHEUS = (pathlib.Path(argument) for argument in sys.argv[1:3])
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client/python/tests"))

import counted  # noqa: E402
from broker import Broker  # noqa: E402
from server import Server, get  # noqa: E402

RULES = ROOT / "deploy/prometheus/kvbroker.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/kvbroker.json"
LOAD = "--reserve 1GiB --slot 2MiB --low 4 --high 16 --kv-bytes-per-token 32KiB --ramp 2s --step-time 15ms --quiet"


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMETHEUS / "promtool", *arguments], input=text, capture_output=True, text=True)


class MetricsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.broker = Broker(str(BIN / "broker/kvbrokerd"), "--host-memory", "1GiB", "--tenant", "chat=80%", "--tenant", "jobs=80%")
        self.addCleanup(self.broker.stop)
        exporter = subprocess.Popen(
            [BIN / "cli/exporter/kvbroker-exporter", "--listen", "127.0.0.1:0", "--runtime-dir", self.broker.runtime_dir],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(exporter.wait)
        self.addCleanup(exporter.terminate)
        assert exporter.stderr is not None
        self.addCleanup(exporter.stderr.close)
        ready = exporter.stderr.readline()
        self.metrics_url = ready.split()[-1]
        self.assertRegex(ready, r"ready at http://127\.0\.0\.1:\d+/metrics")
        self.server = Server(PROMETHEUS, re.sub(r"^http://|/metrics$", "", self.metrics_url))
        self.addCleanup(self.server.stop)

    def eventually(self, condition: Callable[[], Any], what: str, within: float = 30.0) -> Any:
        deadline = time.monotonic() + within
        while True:
            try:
                if found := condition():
                    return found
            except OSError:  # Prometheus is not up yet
                pass
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.1)

    def replay(self) -> subprocess.Popen[bytes]:
        command = [BIN / "tests/replay/replay", "--runtime-dir", self.broker.runtime_dir, "--tenants", "chat,jobs"]
        process = subprocess.Popen([*command, *LOAD.split()], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_prometheus_reads_what_a_broker_under_load_says(self) -> None:
        up = self.eventually(lambda: self.server.query("kvbroker_up == 1"), "the broker is not seen")
        self.assertEqual(up[0]["metric"]["gpu"], "0")
        self.assertTrue(up[0]["metric"]["UUID"].startswith("HOST-"))
        replay = self.replay()
        self.eventually(
            lambda: self.server.query("max_over_time(kvbroker_memory_granted_bytes[1m]) > 100e6"), "nothing is granted"
        )
        self.eventually(
            lambda: self.server.query(
                'max_over_time(kvbroker_tenant_holding_bytes{tenant="chat",price="preemptible"}[1m]) > 0'
            ),
            "nobody says what it holds",
        )
        self.assertEqual(replay.wait(60), 0)
        status = json.loads(
            subprocess.run(
                [BIN / "cli/kvctl", "--runtime-dir", self.broker.runtime_dir, "status", "--json"],
                capture_output=True,
                check=True,
            ).stdout
        )
        grants = float(status["counters"]["grants"])
        self.assertGreater(grants, 10)
        self.eventually(
            lambda: float(self.server.query("kvbroker_grants_total")[0]["value"][1]) == grants, "the counters differ"
        )
        waits = self.server.query("sum(kvbroker_tenant_grant_seconds_count)")[0]["value"][1]
        self.assertGreater(float(waits), 10)

        self.broker.kill()
        self.eventually(lambda: self.server.query("kvbroker_up == 0"), "a dead broker is up")
        self.broker.restart()
        self.eventually(lambda: self.server.query("kvbroker_up == 1 and kvbroker_epoch == 2"), "the next one is not seen")

    def test_alerts_and_dashboard_ask_for_what_there_is(self) -> None:
        self.eventually(lambda: self.server.query("kvbroker_up"), "the broker is not seen")
        self.replay()
        self.eventually(lambda: self.server.query("kvbroker_tenant_holding_bytes"), "no session is there")
        names = set(re.findall(r"^(kvbroker_\w+)", get(self.metrics_url), re.MULTILINE))
        self.assertGreater(len(names), 50)

        rules = json.loads(get(f"{self.server.url}/api/v1/rules"))["data"]["groups"][0]["rules"]
        dashboard = json.loads(DASHBOARD.read_text())
        expressions = [rule["query"] for rule in rules]
        expressions += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        self.assertGreater(len(expressions), 30)
        for expression in expressions:
            plain = expression.replace("$gpu", ".*").replace("$tenant", ".*")
            with self.subTest(expression):
                self.server.query(plain)
                self.assertLessEqual(set(re.findall(r"kvbroker_\w+", plain)), names)
        for variable in dashboard["templating"]["list"]:
            asked = re.search(r"label_values\((\w+), (\w+)\)", json.dumps(variable.get("query")))
            if asked is not None:
                self.assertTrue(self.server.query(f'{asked[1]}{{{asked[2]}!=""}}'), asked[0])

    def test_names_and_rules_pass_promtool(self) -> None:
        lint = promtool("check", "metrics", text=get(self.metrics_url))
        self.assertEqual((lint.returncode, lint.stdout + lint.stderr), (0, ""))
        for arguments in (
            ["check", "rules", str(RULES)],
            ["test", "rules", str(RULES.with_name("kvbroker.rules_test.yml"))],
            ["check", "config", str(RULES.with_name("prometheus.yml"))],
        ):
            ran = promtool(*arguments)
            self.assertEqual(ran.returncode, 0, f"{arguments}: {ran.stdout}{ran.stderr}")

    def test_the_manual_has_every_metric_and_every_alert(self) -> None:
        self.eventually(lambda: self.server.query("kvbroker_up"), "the broker is not seen")
        self.replay()
        self.eventually(lambda: self.server.query("kvbroker_tenant_holding_bytes"), "no session is there")
        manual = (ROOT / "docs/operations.md").read_text()
        names = re.findall(r"^# TYPE kvbroker_(\w+)", get(self.metrics_url), re.MULTILINE)
        names += re.findall(r"alert: (\w+)", RULES.read_text())
        self.assertGreater(len(names), 60)
        self.assertEqual([name for name in names if not re.search(rf"`{name}\b", manual)], [])

    def test_every_alert_is_tested(self) -> None:
        alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
        tested = RULES.with_name("kvbroker.rules_test.yml").read_text()
        self.assertEqual({alert for alert in alerts if f"alertname: {alert}" not in tested}, set())


if __name__ == "__main__":
    counted.main(sys.argv[3:])
