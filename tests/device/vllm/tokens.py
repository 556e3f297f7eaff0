"""Does an elastic engine say the same as a plain one, while its memory comes and goes?

tokens.py --kvbrokerd PROGRAM --kvctl PROGRAM --python PYTHON [--prompts 1000] [--out DIRECTORY]

On the GPU of this machine, with the shape of Llama-3.1-8B and random weights: a plain engine answers the prompts twice, then
an elastic one does while its limit changes every 100 ms between what it needs and much less, so that it grows, compacts and
preempts all the time. Batch-invariant kernels (VLLM_BATCH_INVARIANT=1) make what a request says independent of what runs
beside it, so that every difference is an error; --variant leaves them away.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/vllm"), str(ROOT / "client/python/tests")]

import engine  # noqa: E402
import models  # noqa: E402
from broker import Broker  # noqa: E402

LIMITS_GIB = (24, 6, 14, 3, 10, 4)


class Flipper:
    """Changes a tenant's limit every 100 ms while it is entered."""

    def __init__(self, kvctl: str, runtime_dir: str, tenant: str) -> None:
        self._set = [kvctl, "--runtime-dir", runtime_dir, "limit", tenant]
        self._end = threading.Event()
        self.changes = 0

    def __enter__(self) -> Flipper:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._end.wait(0.1):
            limit = f"{LIMITS_GIB[self.changes % len(LIMITS_GIB)]}GiB"
            subprocess.run([*self._set, limit, "--force"], check=True, capture_output=True)
            self.changes += 1

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        subprocess.run([*self._set, "none"], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvbrokerd", required=True)
    parser.add_argument("--kvctl", required=True)
    parser.add_argument("--python", default=sys.executable, help="that has vLLM and the package kvbroker")
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=64, help="of each answer")
    parser.add_argument("--runners", nargs="+", default=["1", "2"], choices=["1", "2"], help="generations of vLLM's")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--no-caching", action="store_true", help="without prefix caching")
    parser.add_argument("--variant", action="store_true", help="with vLLM's usual kernels")
    parser.add_argument("--poison", action="store_true", help="unmap each slot without a live block after each step")
    parser.add_argument("--arms", nargs="+", default=["plain", "elastic"], choices=["plain", "elastic"])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tokens"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = models.make_shape(arguments.out / "model", models.LLAMA_8B)
    options = {
        "model": str(model),
        "load_format": "dummy",
        "max_model_len": 4096,
        "max_num_seqs": 256,
        "max_num_batched_tokens": 8192,
        "enforce_eager": arguments.eager,
        "enable_prefix_caching": not arguments.no_caching,
        "seed": 3,
    }
    if "plain" in arguments.arms:
        options["gpu_memory_utilization"] = 0.8
    # A third of the prompts begin alike, so that prefixes are shared.
    prompts = engine.prompts(arguments.prompts, seed=11, vocabulary=128256, shortest=64, longest=768)
    for i in range(0, len(prompts), 3):
        prompts[i] = prompts[0][:256] + prompts[i]
    results = []
    for runner in arguments.runners:
        environment = {"VLLM_USE_V2_MODEL_RUNNER": str(int(runner == "2"))}
        if not arguments.variant:
            environment["VLLM_BATCH_INVARIANT"] = "1"
        result: dict[str, object] = {"runner": runner, "prompts": len(prompts), "tokens": arguments.tokens}
        plain: list[engine.Tokens] = []
        if "plain" in arguments.arms:
            alone = engine.Engine(arguments.python, options, environment, arguments.out / f"plain-v{runner}.log")
            result["plain_start"] = alone.wait_until_ready()
            for i in range(2):
                plain.append(alone.generate(prompts, arguments.tokens))
                result[f"plain_seconds_{i}"] = alone.seconds
                alone.call("reset_prefix_cache")
            alone.stop()
            result["plain_twice_differing"] = engine.differing(*plain)
        if "elastic" in arguments.arms:
            result |= elastic(arguments, options, environment, runner, prompts, plain)
        results.append(result)
        print(json.dumps(result), flush=True)
    (arguments.out / "tokens.json").write_text(json.dumps(results, indent=1))


def elastic(
    arguments: argparse.Namespace,
    options: dict[str, object],
    environment: dict[str, str],
    runner: str,
    prompts: engine.Tokens,
    plain: list[engine.Tokens],
) -> dict[str, object]:
    broker = Broker(arguments.kvbrokerd, "--tenant", "chat=none", device="cuda")
    environment = environment | {
        "KVBROKER_TENANT": "chat",
        "KVBROKER_RUNTIME_DIR": broker.runtime_dir,
        "KVBROKER_LOG_EVERY": "0.5",
        "KVBROKER_POISON": str(int(arguments.poison)),
    }
    result: dict[str, object] = {}
    shared = engine.Engine(arguments.python, options, environment, arguments.out / f"elastic-v{runner}.log")
    try:
        result["elastic_start"] = shared.wait_until_ready()
        calm = shared.generate(prompts, arguments.tokens)
        result |= {"calm_seconds": shared.seconds, "calm_figures": shared.figures()}
        shared.call("reset_prefix_cache")
        with Flipper(arguments.kvctl, broker.runtime_dir, "chat") as flipper:
            shaken = shared.generate(prompts, arguments.tokens)
        time.sleep(1)
        result |= {"shaken_seconds": shared.seconds, "limit_changes": flipper.changes, "figures": shared.figures()}
        if plain:
            result["calm_differing"] = engine.differing(plain[0], calm)
            result["shaken_differing"] = engine.differing(plain[0], shaken)
        result["calm_against_shaken_differing"] = engine.differing(calm, shaken)
    finally:
        shared.stop()
        status = [arguments.kvctl, "--runtime-dir", broker.runtime_dir, "status", "--json"]
        result["status"] = json.loads(subprocess.run(status, check=True, capture_output=True, text=True).stdout)
        broker.stop()
    return result


if __name__ == "__main__":
    main()
