"""A real Prometheus for tests, and for pictures."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import tempfile
import urllib.parse
import urllib.request
from typing import Any

RULES = pathlib.Path(__file__).resolve().parents[2] / "deploy/prometheus/kvbroker.rules.yml"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


class Server:
    """A real Prometheus that scrapes one exporter every half second."""

    def __init__(self, programs: pathlib.Path, exporter: str) -> None:
        """`programs`: the folder of prometheus. `exporter`: its address and port."""
        self._dir = tempfile.TemporaryDirectory(prefix="kvbprom")
        folder = pathlib.Path(self._dir.name)
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n"
            f"rule_files: [{json.dumps(str(RULES))}]\n"
            f"scrape_configs: [{{job_name: kvbroker, static_configs: [{{targets: [{json.dumps(exporter)}]}}]}}]\n"
        )
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            [
                programs / "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=error",
            ]
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query; raises where Prometheus does not understand it."""
        answer = json.loads(get(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        assert answer["status"] == "success", (expression, answer)
        return list(answer["data"]["result"])

    def query_range(self, expression: str, begin: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of the time from `begin` to `end`, seconds since 1970, a value each `step` seconds."""
        asked = {"query": expression, "start": begin, "end": end, "step": step}
        answer = json.loads(get(f"{self.url}/api/v1/query_range?" + urllib.parse.urlencode(asked)))
        assert answer["status"] == "success", (expression, answer)
        return list(answer["data"]["result"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._dir.cleanup()
