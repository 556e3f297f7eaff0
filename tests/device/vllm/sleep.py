"""Does an engine that sleeps give back its memory, find room when it wakes, and say the same then?

sleep.py --kvbrokerd PROGRAM --kvctl PROGRAM --out DIRECTORY

On the GPU of this machine. While the engine sleeps, a neighbour takes all there is, and lets go of it when it is asked to.
"""

from __future__ import annotations

import argparse
import json
import time

from machine import Machine, add_programs
from servers import memory_used

import engine  # isort: skip
import models  # isort: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_programs(parser)
    arguments = parser.parse_args()
    machine = Machine(arguments, "--tenant", "chat=none", "--tenant", "neighbour=none")
    model = models.make(arguments.out / "model", models.NARROW_8B)
    options = {"model": str(model), "max_model_len": 4096, "enable_sleep_mode": True, "seed": 3}
    environment = machine.environment("chat") | {"VLLM_BATCH_INVARIANT": "1"}
    sleeper = engine.Engine(arguments.python, options, environment, arguments.out / "sleeper.log")
    results = []
    try:
        sleeper.wait_until_ready()
        prompts = engine.prompts(100, seed=11, vocabulary=32768, shortest=64, longest=768)
        expected = sleeper.generate(prompts, 64)
        for level in (1, 2, 1):
            results.append({"level": level} | cycle(machine, sleeper, level))
            results[-1]["differing"] = engine.differing(expected, sleeper.generate(prompts, 64))
            print(json.dumps(results[-1]), flush=True)
    finally:
        sleeper.stop()
        machine.stop()
        (arguments.out / "sleep.json").write_text(json.dumps(results, indent=1))


def cycle(machine: Machine, sleeper: engine.Engine, level: int) -> dict[str, float]:
    import kvbroker

    result = {"awake_held": machine.granted(), "awake_used": memory_used()}
    started = time.monotonic()
    sleeper.call("sleep", level=level)
    result["sleep_seconds"] = time.monotonic() - started
    time.sleep(0.5)
    result |= {"asleep_held": machine.granted(), "asleep_used": memory_used()}
    with kvbroker.Session("neighbour", runtime_dir=machine.broker.runtime_dir) as session:
        with session.create_arena([128 << 20], slots=1024) as arena:
            arena.want(1024)  # all there is
            time.sleep(1.0)
            result["neighbour_held"] = arena.stats.mapped * arena.slot_bytes
            started = time.monotonic()
            sleeper.call("wake_up", **({"tags": ["weights"]} if level == 2 else {}))
            if level == 2:
                sleeper.call("collective_rpc", method="reload_weights")
                sleeper.call("wake_up", tags=["kv_cache"])
            result["wake_seconds"] = time.monotonic() - started
            result["neighbour_left"] = arena.stats.mapped * arena.slot_bytes
    return result


if __name__ == "__main__":
    main()
