"""A third server on a card that two have filled: does it come up, and do they go on?

starting.py --kvbrokerd PROGRAM --kvctl PROGRAM --out DIRECTORY

Two servers of the shape of Llama-3.1-8B fill the card with cached prefixes. A third one is started as they were, without any
setting, while they serve a request a second.
"""

from __future__ import annotations

import argparse
import threading

from servers import Card, add_arms, memory_used, report

FILL = {"input": 2048, "output": 16, "rates": "12x16"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arms(parser)
    arguments = parser.parse_args()
    card = Card(arguments, "elastic", [])
    try:
        result = {"name": "starting", "start_seconds": card.start(0, 1)}
        card.play({0: FILL, 1: FILL}, "filled")
        result["filled_bytes"] = memory_used()
        meanwhile: list[dict[str, object]] = []
        serving = threading.Thread(target=lambda: meanwhile.append(card.play({i: {"rates": "1x100"} for i in (0, 1)}, "meanwhile")))
        serving.start()
        result["third_start_seconds"] = card.start(2)["m2"]
        serving.join()
        result |= {"meanwhile": meanwhile[0]["models"], "third": card.play({2: {"rates": "4x5"}}, "third")["models"]}
        report(result, card.out)
    finally:
        card.stop()


if __name__ == "__main__":
    main()
