"""Three servers on one card, whose peaks follow each other: how long do their users wait?

ramp.py --kvbrokerd PROGRAM --kvctl PROGRAM --out DIRECTORY [--peaks 20 24 28] [--arms elastic static oracle] [--card 80]

On the GPU of this machine, the shape of Llama-3.1-8B with dummy weights, 256 tokens in and 256 out. Model i starts
i x (P/4 + 2P) s after the first, its rate rises to P requests/s and falls again, and stays at 1 until the last model is done.
The arms are servers.py's; `oracle` is the last model alone on the card, and its peak alone. All peaks are played on the same
servers. --card takes the rest of a larger card away with an allocation that does nothing, so that arms compare as on a card
of that size.
"""

from __future__ import annotations

import argparse
from typing import Any

from load import ramp
from servers import Card, add_arms, card_of, over_models, report


def loads(arm: str, peak: int) -> dict[int, dict[str, Any]]:
    if arm == "oracle":
        return {2: {"rates": ramp(peak)}}
    gap = peak // 4 + 2 * peak
    return {i: {"rates": ramp(peak, (3 - i) * gap), "begin": i * gap} for i in range(3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arms(parser)
    parser.add_argument("--peaks", type=int, nargs="+", default=[20], help="requests/s, in this order")
    arguments = parser.parse_args()
    for arm in arguments.arms:
        with card_of(arguments.card):
            card = Card(arguments, arm, ["--no-enable-prefix-caching"])
            try:
                start = card.start(*([2] if arm == "oracle" else [0, 1, 2]))
                for peak in arguments.peaks:
                    result = card.play(loads(arm, peak), f"peak{peak}")
                    report(result | {"peak": peak, "start_seconds": start} | over_models(result), card.out)
            finally:
                card.stop()


if __name__ == "__main__":
    main()
