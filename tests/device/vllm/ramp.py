"""Three servers on one card, whose peaks follow each other: how long do their users wait?

ramp.py --kvbrokerd PROGRAM --kvctl PROGRAM --out DIRECTORY [--peak 20] [--arms elastic static oracle] [--card 80GiB]

On the GPU of this machine, the shape of Llama-3.1-8B with dummy weights, 256 tokens in and 256 out. Model i starts
i x (P/4 + 2P) s after the first, its rate rises to P requests/s and falls again, and stays at 1 until the last model is done.
Arms: `static` gives each server the same fixed share; `elastic` has the plug-in; `oracle` is the last model alone on the card,
beside whose wait all others are to be seen; `peer` is kvcached, where --peer names its folder. --card takes the rest of a larger
card away with an allocation that does nothing, so that arms compare as on a card of that size.
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
from collections.abc import Iterator
from typing import Any

from machine import GIB, Machine, add_programs

import models  # isort: skip

HERE = pathlib.Path(__file__).parent
SERVER = [
    *("--load-format", "dummy", "--max-model-len", "8192", "--max-num-seqs", "256", "--max-num-batched-tokens", "8192"),
    *("--no-enable-log-requests", "--disable-uvicorn-access-log"),
]
STATIC_BYTES = 8_665_000_000  # what --gpu-memory-utilization 0.31 leaves for KV cache on an H100 80 GB
BALLAST = "import sys, time, torch; kept = torch.empty(int(sys.argv[1]), dtype=torch.uint8, device='cuda'); print('held', flush=True); time.sleep(1e6)"


@contextlib.contextmanager
def card_of(size_gib: float) -> Iterator[None]:
    """Leaves so much of the card to others."""
    line = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"], capture_output=True, text=True, check=True
    )
    excess = int(line.stdout.split()[0]) * (1 << 20) - int(size_gib * GIB)
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


class Server:
    """An OpenAI server of vLLM's, in a process group of its own."""

    def __init__(
        self, python: str, model: pathlib.Path, port: int, options: list[str], environment: dict[str, str], log: pathlib.Path
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
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? ([0-9.e+]+)$", response.read().decode(), re.M)
        return sum(float(value) for value in found)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def memory_used() -> int:
    line = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, check=True
    )
    return int(line.stdout.split()[0]) << 20


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


def run_arm(arguments: argparse.Namespace, arm: str, model: pathlib.Path) -> dict[str, Any]:
    out = arguments.out / arm
    out.mkdir(parents=True, exist_ok=True)
    gap = arguments.peak // 4 + 2 * arguments.peak
    which = [2] if arm == "oracle" else [0, 1, 2]
    caching = [] if arguments.caching else ["--no-enable-prefix-caching"]
    machine = None
    servers: list[Server] = []
    result: dict[str, Any] = {"arm": arm, "peak": arguments.peak}
    try:
        if arm == "elastic":
            machine = Machine(arguments)
        for i in which:
            environment, options = {"VLLM_USE_V2_MODEL_RUNNER": arguments.v2}, list(caching)
            if machine is not None:
                environment |= machine.environment(f"m{i}")
            elif arm == "peer":
                environment |= {
                    "ENABLE_KVCACHED": "true",
                    "KVCACHED_AUTOPATCH": "1",
                    "VLLM_USE_V2_MODEL_RUNNER": "0",
                    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
                    "PYTHONPATH": f"{arguments.peer}:{os.environ.get('PYTHONPATH', '')}",
                }
                time.sleep(2)
            else:
                size = STATIC_BYTES * (1 if arm == "static" else 4)
                options += ["--kv-cache-memory-bytes", str(size), "--gpu-memory-utilization", "0.05"]
            servers.append(Server(arguments.python, model, 8100 + i, options, environment, out / f"server{i}.log"))
        result["start_seconds"] = [server.wait_until_healthy() for server in servers]
        for server in servers:  # the first request of a server compiles
            warm = {"port": server.port, "begin": time.time(), "out": out / "warm.json"}
            subprocess.run([*load(arguments, model, **warm), "--peak", "2"], check=True)
        result["memory_idle"] = memory_used()
        begin = time.time() + 3
        loads = [
            subprocess.Popen(
                [
                    *load(arguments, model, port=8100 + i, begin=begin + (0 if arm == "oracle" else i * gap), out=out / f"load{i}.json"),
                    *("--peak", str(arguments.peak), "--tail", str((3 - i) * gap)),
                ]
            )
            for i in which
        ]
        samples = []
        while any(process.poll() is None for process in loads):
            sample: dict[str, Any] = {"at": time.time() - begin, "used": memory_used()}
            if machine is not None:
                sample["granted"] = {
                    tenant["name"]: int(tenant["granted"]) for tenant in machine.kvctl("tenants")["tenants"]
                }
            samples.append(sample)
            time.sleep(1)
        result["samples"] = samples
        result["memory_most"] = max(sample["used"] for sample in samples)
        result["preemptions"] = [server.metric("vllm:num_preemptions_total") for server in servers]
        result["models"] = {f"m{i}": summary(json.loads((out / f"load{i}.json").read_text())) for i in which}
        for figure in ("ttft_mean", "ttft_p99", "tpot_mean"):
            result[f"models_{figure}"] = statistics.fmean(one[figure] for one in result["models"].values())
    finally:
        for server in servers:
            server.stop()
        if machine is not None:
            machine.stop()
    (out / "result.json").write_text(json.dumps(result))
    return result


def load(arguments: argparse.Namespace, model: pathlib.Path, **options: object) -> list[str]:
    shape = {"input": arguments.input, "output": arguments.output, "shared": arguments.shared}
    given = {"model": model, **shape, **options}
    return [sys.executable, str(HERE / "load.py"), *(str(part) for name in given for part in (f"--{name}", given[name]))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_programs(parser)
    parser.add_argument("--peak", type=int, default=20, help="requests/s")
    parser.add_argument("--arms", nargs="+", default=["elastic", "static", "oracle"], choices=["elastic", "static", "oracle", "peer"])
    parser.add_argument("--card", type=float, default=1e9, help="GiB that the arms may use")
    parser.add_argument("--peer", default="", help="the folder that kvcached is unpacked in")
    parser.add_argument("--v2", default="1", choices=["0", "1"], help="vLLM's second model runner")
    parser.add_argument("--caching", action="store_true", help="prefix caching")
    parser.add_argument("--input", type=int, default=256)
    parser.add_argument("--output", type=int, default=256)
    parser.add_argument("--shared", type=int, default=0, help="tokens that all prompts of a model begin with")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = models.make_shape(arguments.out / "model", models.LLAMA_8B)
    for arm in arguments.arms:
        with card_of(arguments.card):
            result = run_arm(arguments, arm, model)
        print(json.dumps({name: value for name, value in result.items() if name != "samples"}), flush=True)


if __name__ == "__main__":
    main()
