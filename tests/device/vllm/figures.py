"""What being elastic costs an engine, and how fast its memory comes back.

figures.py --kvbrokerd PROGRAM --kvctl PROGRAM --out DIRECTORY [--runner 2] [--rounds 5]

On the GPU of this machine, the shape of Llama-3.1-8B with dummy weights. Tax: a plain and an elastic engine stand side by
side and work in turns, saturated (256 tokens in and 256 out, 512 requests at once) and alone (one request at a time).
Memory back: a neighbour wants 10 GiB of what an idle engine caches, and less while it serves; the time is from its want to
the moment it has it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time

from machine import GIB, Machine, add_programs

import engine  # isort: skip
import models  # isort: skip

NEIGHBOURS_SLOT = 128 << 20
VOCABULARY = 128256


def tax(plain: engine.Engine, elastic: engine.Engine, rounds: int) -> dict[str, object]:
    """Seconds of each round, in turns: who begins changes. `saturated`: of all requests. Of one request alone, `first`: to
    its first token, from an idle engine; `each`: from token to token after that."""
    arms = [("plain", plain), ("elastic", elastic)]
    seconds: dict[str, dict[str, list[float]]] = {
        figure: {name: [] for name, _ in arms} for figure in ("saturated", "first", "each")
    }
    for load, count, tokens, times in (("saturated", 512, 256, rounds), ("alone", 1, 256, 3 * rounds), ("first", 1, 2, 20 * rounds)):
        for turn in range(times + 1):
            for name, arm in arms if turn % 2 else arms[::-1]:
                work = engine.prompts(count, seed=100 + turn, vocabulary=VOCABULARY, shortest=256, longest=257)
                arm.generate(work, tokens)
                if not turn:  # it warms up
                    continue
                if load == "saturated":
                    seconds["saturated"][name].append(arm.seconds)
                elif load == "first":
                    seconds["first"][name].append(arm.firsts[0])
                else:
                    seconds["each"][name].append((arm.seconds - arm.firsts[0]) / (tokens - 1))
    result: dict[str, object] = {"seconds": seconds}
    for figure, of in seconds.items():
        result[f"{figure}_elastic_over_plain"] = statistics.median(of["elastic"]) / statistics.median(of["plain"])
    return result


class Neighbour:
    """Wants memory: slots that it maps."""

    def __init__(self, machine: Machine) -> None:
        import kvbroker

        self._session = kvbroker.Session("neighbour", runtime_dir=machine.broker.runtime_dir)
        self._arena = self._session.create_arena([NEIGHBOURS_SLOT], slots=256)

    def map(self, size: int, timeout: float = 10.0) -> float:
        """Milliseconds until it can use so many bytes; then they go back."""
        import kvbroker

        slots = size // NEIGHBOURS_SLOT
        started = time.monotonic()
        self._arena.want(slots, urgency=kvbroker.Urgency.HIGH)
        self._arena.wait(slots, timeout)
        passed = time.monotonic() - started
        taken = self._arena.take_many(slots)
        self._arena.want(0)
        self._arena.retire(taken)
        while self._arena.stats.mapped:
            time.sleep(0.001)
        return passed * 1000


def idle_victim(machine: Machine, victim: engine.Engine, rounds: int) -> dict[str, object]:
    """The engine's cache fills what there is, and the neighbour wants 10 GiB of it."""
    neighbour, waits = Neighbour(machine), []
    for turn in range(2 * rounds):
        # 60 MiB of cache each; more than there is room for.
        victim.generate(engine.prompts(400, seed=turn, vocabulary=VOCABULARY, shortest=480, longest=481), 1)
        time.sleep(2.2)  # what was granted within 2 s is protected
        waits.append(neighbour.map(10 * GIB))
        time.sleep(0.3)
    return {
        "idle_10GiB_ms": waits,
        "idle_10GiB_p50_ms": statistics.median(waits),
        "figures": victim.figures(),
    }


def serving_victim(machine: Machine, victim: engine.Engine, rounds: int) -> dict[str, object]:
    """The same for 2 GiB while the engine decodes 128 requests."""
    neighbour, waits = Neighbour(machine), []
    work = engine.prompts(128, seed=77, vocabulary=VOCABULARY, shortest=64, longest=65)
    end = threading.Event()

    def ask() -> None:
        time.sleep(1.5)
        while not end.is_set():
            waits.append(neighbour.map(2 * GIB))
            time.sleep(0.3)

    before = victim.figures()
    victim.begin(work, 1024)
    asking = threading.Thread(target=ask)
    asking.start()
    victim.finish()
    end.set()
    asking.join()
    return {
        "serving_2GiB_ms": waits,
        "serving_2GiB_p50_ms": statistics.median(waits),
        "step_ms": victim.seconds / 1024 * 1000,
        "before": before,
        "after": victim.figures(),
    }


def mostly_cached(machine: Machine, victim: engine.Engine) -> dict[str, object]:
    """1,000 blocks live, the rest cached: 40 % of what is held is asked for."""
    victim.call("reset_prefix_cache")
    # Short and long ones side by side, so that the live blocks lie everywhere.
    prompts = engine.prompts(600, seed=5, vocabulary=VOCABULARY, shortest=480, longest=481)
    tokens = [1200 if i % 20 == 0 else 1 for i in range(len(prompts))]
    before = victim.figures()
    victim.begin(prompts, tokens)
    while victim.figures().get("held", 0) < 150:
        time.sleep(0.05)
    time.sleep(4.0)
    held = machine.granted()
    asked = held * 2 // 5
    started = time.monotonic()
    machine.kvctl("limit", "chat", str(held - asked), "--force")
    waits = []
    while machine.granted() > held - asked and time.monotonic() < started + 3:
        waits.append((round(time.monotonic() - started, 3), machine.granted() >> 20))
    passed = time.monotonic() - started
    returned = held - machine.granted()
    after = victim.figures()
    machine.kvctl("limit", "chat", "none")
    victim.finish()
    return {
        "held": held,
        "running": 30,
        "asked": asked,
        "returned_share": returned / asked,
        "seconds": passed,
        "granted_mib": waits,
        "preempted": after["requests_preempted"] - before.get("requests_preempted", 0),
        "moved": after["blocks_moved"] - before.get("blocks_moved", 0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_programs(parser)
    parser.add_argument("--runner", default="2", choices=["1", "2"], help="generation of vLLM's model runner")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=["tax", "idle", "serving", "cached"])
    arguments = parser.parse_args()
    machine = Machine(arguments, "--tenant", "chat=none", "--tenant", "neighbour=none", "--capacity", "24GiB")
    model = models.make_shape(arguments.out / "model", models.LLAMA_8B)
    options = {
        "model": str(model),
        "load_format": "dummy",
        "max_model_len": 8192,
        "max_num_seqs": 256,
        "max_num_batched_tokens": 8192,
    }
    common = {"VLLM_USE_V2_MODEL_RUNNER": str(int(arguments.runner == "2"))}
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    elastic = engine.Engine(
        arguments.python, options, common | machine.environment("chat"), arguments.out / "elastic.log"
    )
    plain = None
    result: dict[str, object] = {"runner": arguments.runner}
    try:
        if "tax" in arguments.parts:
            size = {"kv_cache_memory_bytes": 20 * GIB, "gpu_memory_utilization": 0.1}
            plain = engine.Engine(arguments.python, options | size, common, arguments.out / "plain.log")
            plain.wait_until_ready()
        elastic.wait_until_ready()
        time.sleep(3)
        result["at_rest_bytes"] = machine.granted()
        if plain is not None:
            result["tax"] = tax(plain, elastic, arguments.rounds)
            print(json.dumps(result["tax"]), flush=True)
            plain.stop()
        for name, part in (("idle", idle_victim), ("serving", serving_victim)):
            if name in arguments.parts:
                result[name] = part(machine, elastic, arguments.rounds)
                print(json.dumps(result[name]), flush=True)
        if "cached" in arguments.parts:
            result["cached"] = mostly_cached(machine, elastic)
            print(json.dumps(result["cached"]), flush=True)
    finally:
        elastic.stop()
        (arguments.out / "figures.json").write_text(json.dumps(result, indent=1))
        machine.stop()


if __name__ == "__main__":
    main()
