"""The plug-in in real vLLM on a CPU, with a real broker on the host device: whatever happens to its memory, an engine says
what one without the plug-in says.

vllm_test.py KVBROKERD KVCTL PYTHON MODEL DIRECTORY [TEST ...]
PYTHON has vLLM and the package kvbroker. MODEL is a folder of models.make(). Logs go to DIRECTORY.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

KVBROKERD, KVCTL, PYTHON, MODEL, LOGS = sys.argv[1:6]
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client/python/tests"))

import counted  # noqa: E402
from broker import Broker  # noqa: E402
from engine import Engine, differing, prompts  # noqa: E402

MIB = 1 << 20
PROMPTS = prompts(40, seed=1)
TOKENS = 160
IN_CORE = {"distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor"}
IN_PROCESS_OF_ITS_OWN: dict[str, Any] = {}  # what vLLM does on a CPU
OPTIONS = {
    "model": MODEL,
    "dtype": "float32",
    "enforce_eager": True,
    "block_size": 16,
    "max_num_seqs": 32,
    "max_model_len": 2048,
    "max_num_batched_tokens": 2048,
}
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "KVBROKER_SLOT": "2MiB",
    "KVBROKER_AT_REST": "4MiB",
    "KVBROKER_LOG_EVERY": "0.1",
}


def start(name: str, environment: dict[str, str] | None = None, **options: Any) -> Engine:
    log = pathlib.Path(LOGS) / f"{name}.log"
    return Engine(PYTHON, OPTIONS | IN_CORE | options, ENVIRONMENT | (environment or {}), log)


_reference: list[list[int]] = []


def setUpModule() -> None:
    """What an engine without the plug-in says."""
    plain = start("plain")
    _reference.extend(plain.generate(PROMPTS, TOKENS))
    changed = [[(prompt[0] + 1) % 512, *prompt[1:]] for prompt in PROMPTS]
    others = plain.generate(changed, TOKENS)
    plain.stop()
    # If what is said did not depend on what is remembered, nothing below could fail.
    assert differing(_reference, others) == len(PROMPTS), "answers do not depend on the first token of the prompt"


class WithBroker(unittest.TestCase):
    memory = "1GiB"

    def setUp(self) -> None:
        self.broker = Broker(KVBROKERD, "--host-memory", self.memory, "--tenant", "a=none", "--tenant", "b=none")
        self.addCleanup(self.broker.stop)

    def engine(self, tenant: str = "a", environment: dict[str, str] | None = None, **options: Any) -> Engine:
        ours = {"KVBROKER_TENANT": tenant, "KVBROKER_RUNTIME_DIR": self.broker.runtime_dir}
        engine = start(f"{self.id().split('.')[-1]}-{tenant}", ours | (environment or {}), **options)
        self.addCleanup(engine.stop)
        return engine

    def kvctl(self, *arguments: str) -> dict[str, Any]:
        ran = subprocess.run(
            [KVCTL, "--runtime-dir", self.broker.runtime_dir, *arguments, "--json"], capture_output=True, text=True, check=True
        )
        return dict(json.loads(ran.stdout)) if ran.stdout.strip().startswith("{") else {}

    def granted(self) -> int:
        return int(self.kvctl("status")["memory"]["granted"])

    def limit(self, size: str, tenant: str = "a") -> None:
        self.kvctl("limit", tenant, size, "--force")

    def eventually(self, condition: Callable[[], bool], what: str, within: float = 20.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def assert_same(self, answers: Sequence[Sequence[int]]) -> None:
        self.assertEqual(differing(_reference, answers), 0, "answers differ from those without the plug-in")

    def generate_while(self, engine: Engine, disturb: Callable[[], None]) -> None:
        """The answers must be right while `disturb` is called again and again."""
        end = threading.Event()

        def run() -> None:
            while not end.is_set():
                disturb()

        thread = threading.Thread(target=run)
        engine.begin(PROMPTS, TOKENS)
        thread.start()
        try:
            answers = engine.finish()
        finally:
            end.set()
            thread.join()
        self.assert_same(answers)

    def shake(self, *limits: str) -> Callable[[], None]:
        def once() -> None:
            for size in limits:
                self.limit(size)
                time.sleep(0.1)

        return once


class OneEngineTest(WithBroker):
    def test_grows_with_its_load_and_gives_back_what_is_asked_for(self) -> None:
        engine = self.engine()
        engine.wait_until_ready()
        self.eventually(lambda: self.granted() <= 2 * 2 * MIB, "an idle engine holds more than two slots")

        self.assert_same(engine.generate(PROMPTS, TOKENS))
        grown = engine.figures()
        self.assertGreater(grown["grown"], 10)
        self.assertEqual(grown["requests_preempted"], 0)

        # Idle: all it holds is cache, which goes at once, without a request to wake the engine.
        self.assertGreater(self.granted(), 20 * MIB)
        self.limit("8MiB")
        self.eventually(lambda: self.granted() <= 8 * MIB, "cache of an idle engine does not come back")
        self.limit("none")

        # The same again, partly from what is still cached.
        self.assert_same(engine.generate(PROMPTS, TOKENS))

        # Serving: what is free or cached goes, then blocks move, then requests are put off.
        self.generate_while(engine, self.shake("40MiB", "12MiB", "30MiB", "8MiB"))
        figures = engine.figures()
        self.assertGreater(figures["reclaimed"], 20)
        self.assertGreater(figures["blocks_moved"], 0)
        self.assertGreater(figures["requests_preempted"], 0)
        self.limit("none")

        self.assertTrue(engine.call("reset_prefix_cache"))
        self.eventually(lambda: self.granted() <= 2 * 2 * MIB, "an idle engine without cache holds more than two slots")

    def test_moves_blocks_rather_than_putting_requests_off(self) -> None:
        engine = self.engine(enable_prefix_caching=False)
        # Three quarters of the requests end early, and leave holes in all slots.
        tokens = [40 if i % 4 else 600 for i in range(32)]
        plain = start("plain-mixed", enable_prefix_caching=False)
        expected = plain.generate(PROMPTS[:32], tokens)
        plain.stop()
        engine.wait_until_ready()
        engine.begin(PROMPTS[:32], tokens)
        self.eventually(lambda: engine.ended() == 24, "the short ones do not end", within=120.0)
        held = engine.figures()["held"]
        self.limit(f"{2 * (held - held // 3)}MiB")
        self.assertEqual(differing(expected, engine.finish()), 0)
        self.eventually(lambda: engine.figures()["blocks_moved"] > 0, "no block was moved")
        self.assertEqual(engine.figures()["requests_preempted"], 0)

    def test_touches_nothing_that_is_not_in_use(self) -> None:
        """Every slot without a live block is unmapped after every step: a read of one would end the engine."""
        for caching in (True, False):
            engine = self.engine(environment={"KVBROKER_POISON": "1"}, enable_prefix_caching=caching)
            self.generate_while(engine, self.shake("30MiB", "12MiB"))
            self.assertGreater(engine.figures()["returned"], 20)
            engine.stop()
            self.limit("none")

    def test_works_with_the_worker_in_a_process_of_its_own(self) -> None:
        engine = self.engine(**{"distributed_executor_backend": "mp"})
        self.assert_same(engine.generate(PROMPTS, TOKENS))
        self.generate_while(engine, self.shake("40MiB", "12MiB", "30MiB", "8MiB"))
        figures = engine.figures()
        self.assertGreater(figures["blocks_moved"], 0)
        self.assertGreater(figures["requests_preempted"], 0)

    def test_works_with_a_plane_for_each_layer(self) -> None:
        engine = self.engine(environment={"KVBROKER_LAYOUT": "per-layer", "KVBROKER_SLOT": "8MiB"})
        self.generate_while(engine, self.shake("160MiB", "40MiB", "24MiB"))
        self.assertGreater(engine.figures()["reclaimed"], 0)

    def test_serves_on_from_what_it_holds_when_the_broker_is_killed(self) -> None:
        engine = self.engine()
        self.assert_same(engine.generate(PROMPTS, TOKENS))
        engine.begin(PROMPTS, TOKENS)
        self.broker.kill()
        self.assert_same(engine.finish())

    def test_never_notices_that_the_broker_is_killed_and_comes_back(self) -> None:
        engine = self.engine()
        self.assert_same(engine.generate(PROMPTS, TOKENS))
        for _ in range(3):
            engine.call("reset_prefix_cache")
            engine.begin(PROMPTS, TOKENS)
            self.broker.kill()
            time.sleep(0.3)
            self.broker.restart()
            self.assert_same(engine.finish())
        held = engine.figures()["held"]
        self.eventually(lambda: self.granted() == held * 2 * MIB, "the new broker does not know what it holds")
        self.limit("12MiB")
        self.eventually(lambda: self.granted() <= 12 * MIB, "it gives the new broker nothing back")

    def test_refuses_a_request_that_can_never_fit_and_serves_the_others(self) -> None:
        self.limit("6MiB")  # 95 blocks
        engine = self.engine()
        long = prompts(1, seed=5, shortest=1900, longest=1901)
        answers = engine.generate([PROMPTS[0], *long, PROMPTS[1]], TOKENS)
        self.assertEqual(answers[0], _reference[0])
        self.assertEqual(answers[2], _reference[1])
        self.assertEqual(answers[1], [])
        self.assertEqual(engine.endings, ["length", "error", "length"])
        self.assertIn("is refused: it needs 7.4 MiB, and no more than 5.9 may be had (tenant a)", engine.log.read_text())

    def test_refuses_what_a_lowered_limit_has_made_impossible(self) -> None:
        engine = self.engine()
        long = prompts(1, seed=5, shortest=1000, longest=1001)
        engine.begin([*long, PROMPTS[0]], TOKENS)
        self.eventually(lambda: engine.figures().get("held", 0) >= 2, "it does not begin")
        self.limit("4MiB")
        answers = engine.finish()
        self.assertEqual(engine.endings, ["error", "length"])
        self.assertEqual(answers[1], _reference[0])

    def test_cache_goes_when_it_is_old(self) -> None:
        engine = self.engine(environment={"KVBROKER_CACHE_AGE": "6"})
        self.assert_same(engine.generate(PROMPTS, TOKENS))
        # On a slow machine the first of it is old before the last is there.
        self.assertGreater(engine.figures()["grown"], 10)
        self.eventually(lambda: self.granted() <= 2 * 2 * MIB, "old cache is kept")

    def test_asleep_it_gives_back_all_but_a_slot_and_wakes_to_the_same_answers(self) -> None:
        for executor in (IN_CORE, {"distributed_executor_backend": "mp"}):
            engine = self.engine(**executor)
            self.assert_same(engine.generate(PROMPTS, TOKENS))
            self.assertGreater(self.granted(), 20 * MIB)
            engine.call("sleep")
            self.eventually(lambda: self.granted() == 2 * MIB, "an engine that sleeps holds more than a slot")
            engine.call("wake_up")
            self.assert_same(engine.generate(PROMPTS, TOKENS))
            engine.stop()

    def test_cache_is_bounded(self) -> None:
        engine = self.engine(environment={"KVBROKER_CACHE_MAX": "10MiB"})
        self.assert_same(engine.generate(PROMPTS, TOKENS))
        self.eventually(lambda: self.granted() <= 14 * MIB, "more cache is kept than was allowed")


class IdleNeighbourTest(WithBroker):
    memory = "64MiB"

    def test_its_old_cache_makes_way_for_requests_of_a_lower_class(self) -> None:
        idle, busy = self.engine("a"), self.engine("b")
        self.kvctl("tenant", "b", "--class", "batch")
        self.assert_same(idle.generate(PROMPTS, TOKENS))
        busy.wait_until_ready()
        self.assertGreater(self.granted(), 40 * MIB)
        time.sleep(5.0)  # what was not used for 4 s is old
        self.assert_same(busy.generate(PROMPTS, TOKENS))
        figures = busy.figures()
        self.assertEqual(figures["requests_preempted"], 0)
        # At the pace of what goes of itself, 8 slots a second, it would take more than 2 s.
        self.assertLess(figures["ms_waited"], 1000)
        self.assertGreater(idle.figures()["reclaimed"], 10)


class TwoEnginesTest(WithBroker):
    memory = "40MiB"  # one needs 60, both at once

    def test_share_what_there_is(self) -> None:
        engines = [self.engine("a"), self.engine("b")]
        for engine in engines:
            engine.wait_until_ready()
        for engine in engines:
            engine.begin(PROMPTS, TOKENS)
        for engine in engines:
            self.assert_same(engine.finish())
        # One alone gets what the other one has left there.
        self.assert_same(engines[0].generate(PROMPTS, TOKENS))


class ServersTest(WithBroker):
    memory = "64MiB"

    def serve(self, tenant: str, port: int) -> None:
        log = (pathlib.Path(LOGS) / f"serve-{tenant}.log").open("w")
        self.addCleanup(log.close)
        options = [f"--{name.replace('_', '-')}={value}" for name, value in (OPTIONS | IN_CORE).items() if value is not True]
        server = subprocess.Popen(
            [PYTHON, "-m", "vllm.entrypoints.cli.main", "serve", *options[1:], "--enforce-eager", MODEL, "--port", str(port)],
            env={**os.environ, **ENVIRONMENT, "KVBROKER_TENANT": tenant, "KVBROKER_RUNTIME_DIR": self.broker.runtime_dir},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)

    def ask(self, port: int, path: str, body: dict[str, Any] | None = None) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return str(response.read().decode())

    def is_healthy(self, port: int) -> bool:
        try:
            self.ask(port, "/health")
        except OSError:
            return False
        return True

    def test_two_servers_answer_as_one_engine_does(self) -> None:
        """`vllm serve` as always, and one variable. Both are started at once."""
        ports = {tenant: free_port() for tenant in ("a", "b")}
        for tenant, port in ports.items():
            self.serve(tenant, port)
        for port in ports.values():
            self.eventually(lambda: self.is_healthy(port), "a server does not start", within=180)
        body = {"model": MODEL, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True, "return_token_ids": True}

        def answer(port: int, prompt: list[int]) -> list[int]:
            choice = json.loads(self.ask(port, "/v1/completions", body | {"prompt": prompt}))["choices"][0]
            return list(choice["token_ids"])

        with concurrent.futures.ThreadPoolExecutor(2 * len(PROMPTS)) as threads:
            futures = [[threads.submit(answer, port, prompt) for prompt in PROMPTS] for port in ports.values()]
            for asked in futures:
                self.assert_same([future.result() for future in asked])
        self.assertLess(self.metric(ports["a"], "vllm:kv_cache_usage_perc"), 0.05, "cache counts as used")

        # Ours stand beside vLLM's, and follow while nothing is computed.
        for tenant, port in ports.items():
            self.assertGreater(self.metric(port, "vllm:kvbroker_grown_bytes_total"), 10 * MIB)
            self.limit("6MiB", tenant)
            self.eventually(lambda: self.metric(port, "vllm:kvbroker_held_bytes") <= 6 * MIB, "the metric does not follow")
            self.assertEqual(self.metric(port, "vllm:kvbroker_limit_bytes"), 6 * MIB)

    def metric(self, port: int, name: str) -> float:
        found = re.search(rf"^{name}\{{\S* (\S+)$", self.ask(port, "/metrics"), re.M)
        assert found is not None, f"no metric {name}"
        return float(found[1])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    counted.main(sys.argv[6:])
