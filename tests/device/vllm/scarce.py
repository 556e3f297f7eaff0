"""Three servers on one card whose live KV cache alone is more than the weights leave: who waits?

scarce.py --kvbrokerd PROGRAM --kvctl PROGRAM --out DIRECTORY [--arms elastic static peer]

On the GPU of this machine, the shape of Llama-3.1-8B with dummy weights, 2,048 tokens in, of which half are shared, and 256
out, prefix caching on. Model 0 has served and is idle; its cache fills what it could get. Model 2, of class batch, then has more
to do than fits, and meanwhile model 1, interactive and with a guarantee, has a peak of its own.

    apart     the same, with limits that keep model 1 from ever lacking memory (elastic alone): what the peak costs beside a
              busy neighbour, whoever has the memory
    scarce    without limits
"""

from __future__ import annotations

import argparse
from typing import Any

from servers import Card, add_arms, card_of, report

SHAPE = {"input": 2048, "output": 256, "shared": 1024, "groups": 8}
FILL = SHAPE | {"rates": "10x14", "output": 16, "groups": 140}
PEAK = "1x4,2x4,3x4,4x12,3x4,2x4,1x4"  # 96 requests in 36 s
BATCH = "20x8,4x30"  # 280 requests


def loads(seed: int) -> dict[int, dict[str, Any]]:
    return {
        1: SHAPE | {"rates": PEAK, "begin": 5, "seed": seed},
        2: SHAPE | {"rates": BATCH, "seed": seed + 1},
    }


def play_elastic(card: Card, guarantee: str) -> None:
    assert card.machine is not None
    kvctl = card.machine.kvctl
    kvctl("tenant", "m1", "--guarantee", guarantee, "--class", "interactive")
    kvctl("tenant", "m2", "--class", "batch")
    kvctl("limit", "m0", "1GiB", "--force")
    kvctl("limit", "m2", "11GiB", "--force")
    report(card.play(loads(10), "apart"), card.out)
    kvctl("limit", "m0", "none")
    kvctl("limit", "m2", "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arms(parser)
    parser.add_argument("--guarantee", default="10GiB", help="of model 1")
    arguments = parser.parse_args()
    for arm in arguments.arms:
        with card_of(arguments.card):
            card = Card(arguments, arm, [], "m0=none", "m1=none", "m2=none")
            try:
                card.start(0, 1, 2)
                if arm == "elastic":
                    play_elastic(card, arguments.guarantee)
                report(card.play({0: FILL | {"seed": 5}}, "filled"), card.out)
                report(card.play(loads(20), "scarce"), card.out)
            finally:
                card.stop()


if __name__ == "__main__":
    main()
