"""What the programs of this folder share: a broker on this machine's GPU, and engines beside it."""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/vllm"), str(ROOT / "client/python/tests")]

from broker import Broker  # noqa: E402

GIB = 1 << 30


def add_programs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kvbrokerd", required=True, help="the broker's program")
    parser.add_argument("--kvctl", required=True, help="the operator's program")
    parser.add_argument("--python", default=sys.executable, help="that has vLLM and the package kvbroker")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="for results and logs")


class Machine:
    """A broker of the first GPU. End it with stop()."""

    def __init__(self, arguments: argparse.Namespace, *broker_options: str) -> None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        self.broker = Broker(arguments.kvbrokerd, *broker_options, device="cuda:0")
        self._kvctl = arguments.kvctl

    def kvctl(self, *command: str) -> dict[str, Any]:
        ran = subprocess.run(
            [self._kvctl, "--runtime-dir", self.broker.runtime_dir, *command, "--json"],
            check=True,
            capture_output=True,
            text=True,
        )
        return dict(json.loads(ran.stdout)) if ran.stdout.lstrip().startswith("{") else {}

    def environment(self, tenant: str) -> dict[str, str]:
        """That makes an engine elastic."""
        return {
            "KVBROKER_TENANT": tenant,
            "KVBROKER_RUNTIME_DIR": self.broker.runtime_dir,
            "KVBROKER_LOG_EVERY": "0.5",
        }

    def granted(self) -> int:
        return int(self.kvctl("status")["memory"]["granted"])

    def stop(self) -> None:
        self.broker.stop()
