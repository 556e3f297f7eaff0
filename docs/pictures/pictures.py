"""Draws what kvctl top and the Grafana dashboard show of a replay that runs meanwhile: three tenants' loads swell one after the
other on a host device, and what they leave in their caches makes way for the next.

pictures.py BAZEL_BIN PROMETHEUS OUT

kvctl top is run on a terminal of its own, and its fullest frame is kept. The dashboard is drawn without Grafana: the panels of
deploy/grafana/kvbroker.json, each with what a real Prometheus answers to its queries.
"""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, MultipleLocator  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402

BIN, PROMETHEUS, OUT = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "client/python/tests"), str(ROOT / "tests/metrics")]

from broker import Broker  # noqa: E402
from server import Server  # noqa: E402

COLUMNS, ROWS = 100, 12
LOAD = (
    "--tenants chat,search,jobs --pattern ramp --peak-rate 6 --ramp 14s --overlap 0.45 --cache keep --floor 64MiB --reserve 2GiB "
    "--slot 2MiB --low 4 --high 16 --kv-bytes-per-token 64KiB --step-time 15ms --prompt-tokens 384 --quiet"
)


class Terminal:
    """kvctl top on a terminal; its frames."""

    def __init__(self, runtime_dir: str) -> None:
        self.frames: list[str] = []
        self._text = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", KVBROKER_RUNTIME_DIR=runtime_dir)
            os.environ.pop("NO_COLOR", None)
            time.sleep(0.2)  # until the window has its size
            os.execv(BIN / "cli/kvctl", ["kvctl", "top"])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self) -> None:
        while select.select([self._fd], [], [], 0)[0]:
            self._text += os.read(self._fd, 1 << 16).decode()
        *whole, self._text = self._text.split("\x1b[H")
        self.frames += [frame.replace("\x1b[K", "").replace("\x1b[J", "") for frame in whole]

    def stop(self) -> None:
        os.write(self._fd, b"\x03")
        os.waitpid(self._pid, 0)


def draw_top(frames: list[str], path: pathlib.Path) -> None:
    """The frame in which most kinds of memory are to be seen, and most of each but the commonest."""
    kinds = "█▓▒░"
    bars = {f: "".join(f.split("\n")[3:-4]) for f in frames}
    frame = max(frames, key=lambda f: (sum(kind in bars[f] for kind in kinds), min(bars[f].count(kind) for kind in "▓░")))
    console = Console(record=True, width=COLUMNS + 1, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in frame.replace("\r", "").split("\n"):
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    svg = console.export_svg(title="kvctl top")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # of a font that would be fetched from elsewhere
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL).replace("font-family: Fira Code, monospace", "font-family: monospace")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n")


def amount(unit: str, value: float) -> str:
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "s":
        return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit not in ("bytes", "Bps"):
        return f"{value:.4g}"
    size = next((f"{value / 2**power:.4g} {name}" for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")) if value >= 2**power), f"{value:.0f} B")
    return size + ("/s" if unit == "Bps" else "")


def named(legend: str, labels: dict[str, str], title: str) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend) or title


def draw_dashboard(server: Server, begin: float, end: float, path: pathlib.Path) -> None:
    panels = json.loads((ROOT / "deploy/grafana/kvbroker.json").read_text())["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    plt.style.use("dark_background")
    plt.rcParams.update({"font.size": 8, "axes.facecolor": "#181b1f", "figure.facecolor": "#111217", "axes.prop_cycle": plt.cycler(color=plt.get_cmap("tab20").colors)})
    figure = plt.figure(figsize=(15, height * 0.42), layout=None)
    for panel in panels:
        grid, unit = panel["gridPos"], panel["fieldConfig"]["defaults"].get("unit", "none")
        left, bottom = grid["x"] / 24, 1 - (grid["y"] + grid["h"]) / height
        axes = figure.add_axes((left + 0.04, bottom + 0.9 / height, grid["w"] / 24 - 0.055, (grid["h"] - 2.0) / height))
        axes.set_title(panel["title"], loc="left", fontsize=9, fontweight="bold")
        queries = [(re.sub(r"\$\w+", ".*", target["expr"]), target.get("legendFormat", "")) for target in panel["targets"]]
        if panel["type"] == "stat":
            axes.axis("off")
            series = server.query_range(queries[0][0], begin, end, 1)
            value = float(series[0]["values"][len(series[0]["values"]) // 2][1])  # amid the load
            axes.text(0, 0.4, amount(unit, value), fontsize=20, color="#73bf69", va="center")
            continue
        drawn = []
        for expression, legend in queries:
            for series in server.query_range(expression, begin, end, 1):
                times = [float(at) - begin for at, _ in series["values"]]
                drawn.append((times, [float(value) for _, value in series["values"]], named(legend, series["metric"], panel["title"])))
        stacked = panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
        if stacked and drawn:
            longest = max(drawn, key=lambda line: len(line[0]))[0]
            filled = [dict(zip(times, values)) for times, values, _ in drawn]
            axes.stackplot(longest, [[known.get(at, 0) for at in longest] for known in filled], labels=[name for *_, name in drawn], alpha=0.8)
        else:
            for times, values, name in drawn:
                axes.plot(times, values, label=name, linewidth=1.2)
        axes.set_xlim(0, end - begin)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.15)
        if unit in ("bytes", "Bps") and axes.get_ylim()[1] > 1024:
            axes.yaxis.set_major_locator(MultipleLocator(2 ** math.ceil(math.log2(axes.get_ylim()[1] / 6))))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: amount(unit, value)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
        if drawn:
            axes.legend(loc="upper left", ncol=2 if len(drawn) > 6 else 1, fontsize=6.5, frameon=True, framealpha=0.5)
    figure.savefig(path, dpi=80)


def main() -> None:
    tenants = 'tenant { name: "chat" guarantee: "30%" } tenant { name: "search" } tenant { name: "jobs" weight: 50 limit: "80%" }'
    configuration = OUT / ".pictures.textproto"
    configuration.write_text(tenants)
    broker = Broker(str(BIN / "broker/kvbrokerd"), "--host-memory", "1GiB", "--config", str(configuration))
    configuration.unlink()
    exporter = subprocess.Popen(
        [BIN / "cli/exporter/kvbroker-exporter", "--listen", "127.0.0.1:0", "--runtime-dir", broker.runtime_dir],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert exporter.stderr is not None
    server = Server(PROMETHEUS, re.sub(r"^http://|/metrics$", "", exporter.stderr.readline().split()[-1]))
    begin = time.time()
    top = Terminal(broker.runtime_dir)
    replay = subprocess.Popen([BIN / "tests/replay/replay", "--runtime-dir", broker.runtime_dir, *LOAD.split()])
    while replay.poll() is None:
        top.read()
        time.sleep(0.1)
        print(f"\r{time.time() - begin:.0f} s, {len(top.frames)} frames ", end="", flush=True)
    end = time.time()
    top.stop()
    print()
    draw_top(top.frames, OUT / "kvctl-top.svg")
    draw_dashboard(server, begin, end, OUT / "dashboard.png")
    server.stop()
    exporter.terminate()
    broker.stop()
    assert replay.returncode == 0, "the replay has failed"


if __name__ == "__main__":
    main()
