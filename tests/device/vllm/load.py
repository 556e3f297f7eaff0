"""One model's load: requests at rates that change, streamed, timed token by token.

load.py --port N --model NAME --rates 1x1,2x1,1x10 --begin TIME --out FILE [--input 256] [--output 256] [--shared 0]

`4x10,1x30`: 4 requests/s for 10 s, then 1 for 30 s, even within each second. What is sent is the same in every run: token ids by
a fixed seed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pathlib
import random
import time

import aiohttp


def ramp(peak: int, tail: int = 0) -> str:
    """Rates that grow from 0 to `peak` requests/s by 1 each second, fall to 1 likewise, and stay there for `tail` more
    requests: peak * peak + tail of them."""
    rates = [*range(1, peak + 1), *range(peak - 1, 0, -1)]
    return ",".join([*(f"{rate}x1" for rate in rates), *([f"1x{tail}"] if tail else [])])


def arrivals(rates: str) -> list[float]:
    """Seconds from the beginning."""
    times: list[float] = []
    second = 0
    for part in rates.split(","):
        rate, seconds = map(int, part.split("x"))
        times += [second + s + i / rate for s in range(seconds) for i in range(rate)]
        second += seconds
    return times


async def request(http: aiohttp.ClientSession, url: str, body: dict[str, object], at: float) -> dict[str, object]:
    await asyncio.sleep(max(0.0, at - time.time()))
    sent, times, error = time.time(), [], None
    try:
        async with http.post(url, json=body) as response:
            if response.status != 200:
                error = f"{response.status}: {(await response.text())[:200]}"
            async for line in response.content:
                if line.startswith(b"data: {"):
                    times.append(time.time())
    except aiohttp.ClientError as problem:
        error = str(problem)
    return {"sent": sent, "times": times, "error": error}


async def run(arguments: argparse.Namespace) -> list[dict[str, object]]:
    chance = random.Random(arguments.seed if arguments.seed is not None else arguments.port)
    groups = [[chance.randrange(2, 100_000) for _ in range(arguments.shared)] for _ in range(arguments.groups)]
    requests = []
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0, force_close=True)) as http:
        for i, at in enumerate(arrivals(arguments.rates)):
            shared = groups[i % arguments.groups]
            prompt = shared + [chance.randrange(2, 100_000) for _ in range(arguments.input - len(shared))]
            body = {
                "model": arguments.model,
                "prompt": prompt,
                "max_tokens": arguments.output,
                "temperature": 0,
                "ignore_eos": True,
                "stream": True,
            }
            url = f"http://127.0.0.1:{arguments.port}/v1/completions"
            requests.append(asyncio.create_task(request(http, url, body, arguments.begin + at)))
        return list(await asyncio.gather(*requests))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rates", required=True, help="requests/s x seconds, and so on")
    parser.add_argument("--begin", type=float, required=True, help="Unix time")
    parser.add_argument("--input", type=int, default=256, help="tokens of each prompt")
    parser.add_argument("--output", type=int, default=256, help="tokens of each answer")
    parser.add_argument("--shared", type=int, default=0, help="tokens that prompts of a group begin with")
    parser.add_argument("--groups", type=int, default=1, help="of prompts that begin alike")
    parser.add_argument("--seed", type=int, help="of the prompts; the port without it")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.out.write_text(json.dumps(asyncio.run(run(arguments))))


if __name__ == "__main__":
    main()
