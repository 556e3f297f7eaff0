"""Does an elastic engine say the same as a plain one, while its memory comes and goes?

tokens.py --kvbrokerd PROGRAM --kvctl PROGRAM --python PYTHON [--prompts 1000] [--out DIRECTORY]

On the GPU of this machine, with as much KV cache a token as Llama-3.1-8B and random weights that make every token depend on
all before it: a plain engine answers the prompts twice, then an elastic one does while its limit changes every 100 ms between what it needs and much less, so that it grows, compacts and
preempts all the time. Batch-invariant kernels (VLLM_BATCH_INVARIANT=1) make what a request says independent of what runs
beside it, so that every difference is an error; --variant leaves them away.
"""

from __future__ import annotations

import argparse
import json
import threading
import time

from machine import Machine, add_programs  # it makes the imports below possible
from servers import memory_used

import engine  # isort: skip
import models  # isort: skip

LIMITS_GIB = (24, 6, 14, 3, 10, 4)


class Flipper:
    """Changes a tenant's limit every 100 ms while it is entered, and kills and restarts the broker now and then."""

    def __init__(self, machine: Machine, tenant: str, broker_kills: int) -> None:
        self._machine, self._tenant = machine, tenant
        self._broker_kills = broker_kills
        self._end = threading.Event()
        self.changes = 0
        self.killed = 0

    def __enter__(self) -> Flipper:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._end.wait(0.1):
            limit = f"{LIMITS_GIB[self.changes % len(LIMITS_GIB)]}GiB"
            self._machine.kvctl("limit", self._tenant, limit, "--force")
            self.changes += 1
            if self.killed < self._broker_kills and self.changes % 20 == 0:
                self._machine.broker.kill()
                time.sleep(0.2)
                self._machine.broker.restart()
                self.killed += 1

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._machine.kvctl("limit", self._tenant, "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_programs(parser)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=64, help="of each answer")
    parser.add_argument("--runners", nargs="+", default=["1", "2"], choices=["1", "2"], help="generations of vLLM's")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--no-caching", action="store_true", help="without prefix caching")
    parser.add_argument("--variant", action="store_true", help="with vLLM's usual kernels")
    parser.add_argument("--poison", action="store_true", help="unmap each slot without a live block after each step")
    parser.add_argument("--broker-kills", type=int, default=0, help="kill -9 the broker so often meanwhile, and restart it")
    parser.add_argument("--arms", nargs="+", default=["plain", "elastic"], choices=["plain", "elastic"])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = models.make(arguments.out / "model", models.NARROW_8B)
    options = {
        "model": str(model),
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
    prompts = engine.prompts(arguments.prompts, seed=11, vocabulary=32768, shortest=64, longest=768)
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
            # The control: with another first token all is said differently, or nothing here could fail.
            changed = [[(prompt[0] + 1) % 32768, *prompt[1:]] for prompt in prompts]
            result["control_differing"] = engine.differing(plain[0], alone.generate(changed, arguments.tokens))
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
    used_before = memory_used()
    machine = Machine(arguments, "--tenant", "chat=none")
    environment = environment | machine.environment("chat") | {"KVBROKER_POISON": str(int(arguments.poison))}
    result: dict[str, object] = {}
    shared = engine.Engine(arguments.python, options, environment, arguments.out / f"elastic-v{runner}.log")
    try:
        result["elastic_start"] = shared.wait_until_ready()
        calm = shared.generate(prompts, arguments.tokens)
        result |= {"calm_seconds": shared.seconds, "calm_figures": shared.figures()}
        shared.call("reset_prefix_cache")
        with Flipper(machine, "chat", arguments.broker_kills) as flipper:
            shaken = shared.generate(prompts, arguments.tokens)
        time.sleep(1)
        result |= {"shaken_seconds": shared.seconds, "figures": shared.figures()}
        result |= {"limit_changes": flipper.changes, "brokers_killed": flipper.killed}
        if plain:
            result["calm_differing"] = engine.differing(plain[0], calm)
            result["shaken_differing"] = engine.differing(plain[0], shaken)
        result["calm_against_shaken_differing"] = engine.differing(calm, shaken)
    finally:
        shared.stop()
        result["status"] = machine.kvctl("status")
        machine.stop()
        time.sleep(2)  # the driver may show a little later what is free again
        result["left_bytes"] = memory_used() - used_before
    return result


if __name__ == "__main__":
    main()
