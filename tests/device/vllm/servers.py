"""OpenAI servers of vLLM's side by side on one card, in one of the ways that share it: an arm.

    elastic   the plug-in, and a broker
    static    each has the same fixed share of the KV cache, as --gpu-memory-utilization 0.31 gives it on an H100 80 GB
    peer      kvcached, with expandable segments
    oracle    one model alone, with four such shares
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

from machine import GIB, Machine, add_programs

import models  # isort: skip

HERE = pathlib.Path(__file__).parent
ARMS = ("elastic", "static", "peer", "oracle")
SERVER = [
    *("--load-format", "dummy", "--max-model-len", "8192", "--max-num-seqs", "256", "--max-num-batched-tokens", "8192"),
    *("--no-enable-log-requests", "--disable-uvicorn-access-log"),
]
STATIC_BYTES = 8_665_000_000  # what --gpu-memory-utilization 0.31 leaves for KV cache on an H100 80 GB
FIRST_PORT = 8100
BALLAST = "import sys, time, torch; kept = torch.empty(int(sys.argv[1]), dtype=torch.uint8, device='cuda'); print('held', flush=True); time.sleep(1e6)"


def add_arms(parser: argparse.ArgumentParser) -> None:
    add_programs(parser)
    parser.add_argument("--arms", nargs="+", default=["elastic", "static", "oracle"], choices=ARMS, help="in this order")
    parser.add_argument("--card", type=float, default=1e9, help="GiB that the arms may use")
    parser.add_argument("--peer", default="", help="the folder that kvcached is unpacked in")
    parser.add_argument("--v2", default="1", choices=["0", "1"], help="vLLM's second model runner; kvcached has the first")


@contextlib.contextmanager
def card_of(size_gib: float) -> Iterator[None]:
    """Leaves so much of the card to others."""
    excess = _nvidia_smi("memory.total") - int(size_gib * GIB)
    if excess <= 1 << 30:
        yield
        return
    # The ballast's own context takes about half a GiB.
    process = subprocess.Popen(
        [sys.executable, "-c", BALLAST, str(excess - (1 << 29))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()


def memory_used() -> int:
    return _nvidia_smi("memory.used")


def _nvidia_smi(figure: str) -> int:
    """Bytes."""
    line = subprocess.run(
        ["nvidia-smi", f"--query-gpu={figure}", "--format=csv,noheader,nounits"], capture_output=True, text=True, check=True
    )
    return int(line.stdout.split()[0]) << 20


class Server:
    """One server. End it with stop()."""

    def __init__(
        self, python: str, model: pathlib.Path, port: int, options: Sequence[str], environment: dict[str, str], log: pathlib.Path
    ) -> None:
        self.port, self.started = port, time.monotonic()
        command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--port", str(port), *SERVER]
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [*command, *options], env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
            )
        self._log = log

    def wait_until_healthy(self) -> float:
        """Seconds since it was started."""
        while True:
            if self._process.poll() is not None:
                tail = "\n".join(self._log.read_text().splitlines()[-30:])
                raise RuntimeError(f"the server at port {self.port} has ended:\n{tail}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1):
                    return time.monotonic() - self.started
            except OSError:
                time.sleep(0.5)

    def metric(self, name: str) -> float:
        """The sum over its labels; 0 where there is none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? ([0-9.e+-]+)$", response.read().decode(), re.M)
        return sum(float(value) for value in found)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


METRICS = {
    "preempted": "vllm:num_preemptions_total",
    "queued_seconds": "vllm:request_queue_time_seconds_sum",
    "requests_begun": "vllm:request_queue_time_seconds_count",
    "waited_for_memory_seconds": "vllm:kvbroker_wait_seconds_total",
    "steps_waited": "vllm:kvbroker_steps_waited_total",
    "reclaimed_bytes": "vllm:kvbroker_reclaimed_bytes_total",
}


class Card:
    """The servers of one arm, and their broker. End it with stop()."""

    def __init__(self, arguments: argparse.Namespace, arm: str, options: Sequence[str], *tenants: str) -> None:
        """options: of each server. tenants: of the broker, as its --tenant has them."""
        self.arm, self._arguments, self._options = arm, arguments, options
        self.out = arguments.out / arm
        self.out.mkdir(parents=True, exist_ok=True)
        self.model = models.make_shape(arguments.out / "model", models.LLAMA_8B)
        self.machine = Machine(arguments, *(x for t in tenants for x in ("--tenant", t))) if arm == "elastic" else None
        self.servers: dict[int, Server] = {}

    def start(self, *which: int) -> dict[str, float]:
        """At the same moment; how many seconds each took. Their first requests, which compile, are over then."""
        for i in which:
            how, log = self._how(i), self.out / f"server{i}.log"
            self.servers[i] = Server(self._arguments.python, self.model, FIRST_PORT + i, *how, log)
        seconds = {f"m{i}": self.servers[i].wait_until_healthy() for i in which}
        self.play({i: {"rates": "1x1,2x1", "seed": 1} for i in which}, "warm")
        return seconds

    def _how(self, i: int) -> tuple[list[str], dict[str, str]]:
        """Options and environment."""
        options = [*self._options]
        environment = {"VLLM_USE_V2_MODEL_RUNNER": self._arguments.v2}
        if self.machine is not None:
            return options, environment | self.machine.environment(f"m{i}")
        if self.arm == "peer":
            time.sleep(2)  # as it asks for
            return options, {
                "ENABLE_KVCACHED": "true",
                "KVCACHED_AUTOPATCH": "1",
                "VLLM_USE_V2_MODEL_RUNNER": "0",
                "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
                "PYTHONPATH": f"{self._arguments.peer}:{os.environ.get('PYTHONPATH', '')}",
            }
        size = STATIC_BYTES * (4 if self.arm == "oracle" else 1)
        return [*options, "--kv-cache-memory-bytes", str(size), "--gpu-memory-utilization", "0.05"], environment

    def play(self, loads: dict[int, dict[str, Any]], name: str) -> dict[str, Any]:
        """Each server's load, as options of load.py, `begin` being seconds from now; what was seen meanwhile."""
        before = {i: self._metrics(i) for i in loads}
        begin = time.time() + 3
        running = {i: self._load(i, load | {"begin": begin + load.get("begin", 0)}, name) for i, load in loads.items()}
        samples = []
        while any(process.poll() is None for process in running.values()):
            samples.append(self._sample(time.time() - begin))
            time.sleep(0.5)
        if failed := [i for i, process in running.items() if process.returncode]:
            raise RuntimeError(f"the loads of {failed} failed")
        result: dict[str, Any] = {"arm": self.arm, "name": name, "models": {}, "samples": samples}
        for i in loads:
            after = self._metrics(i)
            requests = json.loads(self._requests(i, name).read_text())
            result["models"][f"m{i}"] = summary(requests) | {key: after[key] - before[i][key] for key in after}
        result["memory_most"] = max(sample["used"] for sample in samples)
        return result

    def _load(self, i: int, options: dict[str, Any], name: str) -> subprocess.Popen[bytes]:
        given = {"port": FIRST_PORT + i, "model": self.model, "out": self._requests(i, name), **options}
        words = (part for key in given for part in (f"--{key}", str(given[key])))
        return subprocess.Popen([sys.executable, str(HERE / "load.py"), *words])

    def _requests(self, i: int, name: str) -> pathlib.Path:
        return pathlib.Path(self.out / f"{name}-m{i}.json")

    def _metrics(self, i: int) -> dict[str, float]:
        return {key: self.servers[i].metric(name) for key, name in METRICS.items()}

    def _sample(self, at: float) -> dict[str, Any]:
        sample: dict[str, Any] = {"at": at, "used": memory_used()}
        if self.machine is not None:
            tenants = self.machine.kvctl("tenants")["tenants"]
            sample["granted"] = {tenant["name"]: int(tenant["granted"]) for tenant in tenants}
        return sample

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        if self.machine is not None:
            self.machine.stop()


def summary(requests: list[dict[str, Any]]) -> dict[str, float]:
    """Times in milliseconds."""
    good = [one for one in requests if one["times"] and not one["error"]]
    first = sorted((one["times"][0] - one["sent"]) * 1000 for one in good)
    each = [(one["times"][-1] - one["times"][0]) / (len(one["times"]) - 1) * 1000 for one in good if len(one["times"]) > 1]
    tokens = sum(len(one["times"]) for one in good)
    passed = max(one["times"][-1] for one in good) - min(one["sent"] for one in good)
    return {
        "requests": len(requests),
        "answered": len(good),
        "ttft_mean": statistics.fmean(first),
        "ttft_p50": first[len(first) // 2],
        "ttft_p99": first[min(int(len(first) * 0.99), len(first) - 1)],
        "ttft_max": first[-1],
        "tpot_mean": statistics.fmean(each),
        "tokens_per_second": tokens / passed,
    }


def over_models(result: dict[str, Any]) -> dict[str, float]:
    """Means of the models' figures."""
    figures = ("ttft_mean", "ttft_p99", "tpot_mean")
    return {figure: statistics.fmean(one[figure] for one in result["models"].values()) for figure in figures}


def report(result: dict[str, Any], out: pathlib.Path) -> None:
    """To a file, all of it; to standard output, a line without the samples."""
    (out / f"{result['name']}.json").write_text(json.dumps(result))
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}), flush=True)
