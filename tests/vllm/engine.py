"""Real vLLM engines in processes of their own, with or without the plug-in."""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
import subprocess
from collections.abc import Sequence
from typing import Any

Tokens = list[list[int]]
_MAIN = pathlib.Path(__file__).with_name("engine_main.py")


def prompts(count: int, *, seed: int, vocabulary: int = 512, shortest: int = 20, longest: int = 200) -> Tokens:
    """Of random tokens and lengths."""
    chance = random.Random(seed)
    return [
        [chance.randrange(2, vocabulary) for _ in range(chance.randrange(shortest, longest))] for _ in range(count)
    ]


class Engine:
    """One engine. Its options are those of vllm.LLM; what is in `environment` is added to this process's own."""

    def __init__(self, python: str, options: dict[str, Any], environment: dict[str, str], log: pathlib.Path) -> None:
        self.log = log
        reader, writer = os.pipe()
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [python, str(_MAIN), str(writer)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                pass_fds=[writer],
                text=True,
            )
        os.close(writer)
        self._answers = os.fdopen(reader)
        self._send(options=options)
        self._started = False

    def wait_until_ready(self) -> float:
        """Seconds that LLM() took."""
        seconds = 0.0
        if not self._started:
            seconds = self._receive()["seconds"]
            self._started = True
        return seconds

    def begin(self, prompts: Tokens, tokens: int | list[int]) -> None:
        """Generates so many tokens for all, or for each, in the background: finish() waits."""
        self.wait_until_ready()
        self._send(prompts=prompts, tokens=[tokens] * len(prompts) if isinstance(tokens, int) else tokens)

    def finish(self) -> Tokens:
        answer = self._receive()
        self.seconds = float(answer["seconds"])
        self.endings: list[str] = answer["endings"]
        self.firsts: list[float] = answer["firsts"]  # seconds to each first token
        return list(answer["tokens"])

    def generate(self, prompts: Tokens, tokens: int | list[int]) -> Tokens:
        self.begin(prompts, tokens)
        return self.finish()

    def call(self, method: str, /, **arguments: Any) -> Any:
        """A method of vllm.LLM, whose arguments and result JSON can carry."""
        self.wait_until_ready()
        self._send(**{"call": method, "with": arguments})
        return self._receive()["result"]

    def metrics(self) -> dict[str, float]:
        self._send(metrics=True)
        return dict(self._receive()["metrics"])

    def figures(self) -> dict[str, int]:
        """What the plug-in says in its newest line of figures."""
        lines = re.findall(r"kvbroker figures: (.*)", self.log.read_text())
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", lines[-1])} if lines else {}

    def ended(self) -> int:
        """How many of the prompts that were given last are answered."""
        counts = re.findall(r"Processed prompts: (\d+) of", self.log.read_text())
        return int(counts[-1]) if counts else 0

    def stop(self) -> None:
        """Ends it, by closing its input: the engine's processes end with it."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._answers.close()

    def _send(self, **fields: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            tail = "\n".join(self.log.read_text().splitlines()[-40:])
            raise RuntimeError(f"the engine has ended:\n{tail}")
        return dict(json.loads(line))


def differing(left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> int:
    """How many outputs are not the same."""
    return sum(a != b for a, b in zip(left, right, strict=True))


