"""One model's load: requests at a rate that rises, falls, and stays low, streamed, timed token by token.

load.py --port N --model NAME --peak P --tail N --begin SECONDS --out FILE [--input 256] [--output 256] [--shared 0]

The rate grows from 0 to P requests/s by 1 each second, falls to 1 likewise, and stays there for so many more requests. What is
sent is the same in every run: token ids by a fixed seed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pathlib
import random
import time

import aiohttp


def arrivals(peak: int, tail: int) -> list[float]:
    """Seconds from the beginning; peak * peak + tail of them, even within each second."""
    rates = [*range(1, peak + 1), *range(peak - 1, 0, -1), *[1] * tail]
    return [second + i / rate for second, rate in enumerate(rates) for i in range(rate)]


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
    chance = random.Random(arguments.port)
    shared = [chance.randrange(2, 100_000) for _ in range(arguments.shared)]
    requests = []
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        for at in arrivals(arguments.peak, arguments.tail):
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
    parser.add_argument("--peak", type=int, required=True)
    parser.add_argument("--tail", type=int, default=0)
    parser.add_argument("--begin", type=float, required=True, help="Unix time")
    parser.add_argument("--input", type=int, default=256)
    parser.add_argument("--output", type=int, default=256)
    parser.add_argument("--shared", type=int, default=0, help="tokens that all prompts begin with")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.out.write_text(json.dumps(asyncio.run(run(arguments))))


if __name__ == "__main__":
    main()
