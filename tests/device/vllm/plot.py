"""Draws what each model held while ramp.py ran: plot.py RESULT_JSON OUT.svg (needs matplotlib)."""

from __future__ import annotations

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

GIB = 1 << 30
COLOURS = ("#2a78b5", "#e08a1e", "#3f9a57")


def main() -> None:
    result = json.loads(pathlib.Path(sys.argv[1]).read_text())
    samples = [sample for sample in result["samples"] if sample["at"] >= 0]
    times = [sample["at"] for sample in samples]
    names = sorted(samples[0]["granted"])
    series = [[sample["granted"].get(name, 0) / GIB for sample in samples] for name in names]

    plt.rcParams["svg.hashsalt"] = "kvbroker"  # the same picture from the same numbers
    figure, axes = plt.subplots(figsize=(9, 3.6))
    axes.stackplot(times, series, labels=names, colors=COLOURS, alpha=0.85)
    axes.set_xlabel("seconds")
    axes.set_ylabel("KV cache held, GiB")
    axes.set_xlim(times[0], times[-1])
    axes.set_title(f"Three vLLM servers whose peaks of {result['peak']} requests/s follow each other")
    axes.legend(loc="upper right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
