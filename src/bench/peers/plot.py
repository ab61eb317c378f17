"""Draws cost against size: bench.png, six panels.

Usage: plot.py JSON DIR

JSON is what `scale --json` writes.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from PIL import Image

OWN, SECOND, FASTAPI, NODE, GROUP, SHELL, LIMIT = (
    "#0b5394", "#6fa8dc", "#2e8b57", "#c27ba0", "#b3541e", "#7a5195", "#888888"
)
COLOURS = {"fastapi": FASTAPI, "node": NODE, "node-group": GROUP}
CONNECTIONS = 32


def unit(value: float, _position: object = None) -> str:
    """A number as short as an axis has room for: 20k, 1M, 0.5."""
    for size, name in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


class Panel:
    """Axes, both logarithmic, with lines by size."""

    def __init__(self, axes: plt.Axes, title: str, label: str) -> None:
        self.axes = axes
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylabel(label, fontsize=8)
        axes.grid(True, which="major", color="#e5e5e5", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)

    def line(self, label: str, points: list, colour: str, style: str = "-") -> None:
        """A line through (events, value); nothing without points."""
        points = sorted({x: y for x, y in points if y}.items())
        if points:
            own = label.startswith("profiletrail")
            self.axes.plot(
                *zip(*points), style, color=colour, label=label, marker="o", markersize=4,
                linewidth=2.2 if own else 1.3, zorder=3 if own else 2,
            )

    def mark(self, value: float, label: str) -> None:
        """A value that is not to be passed."""
        self.axes.axhline(value, color="#cc0000", linewidth=0.9, linestyle=(0, (5, 3)), label=label)

    def finish(self) -> None:
        self.axes.xaxis.set_major_formatter(FuncFormatter(unit))
        self.axes.xaxis.set_minor_formatter(NullFormatter())
        low, high = self.axes.get_ylim()
        # Less than two decades have too few powers of ten to be read by.
        if high / low < 100:
            self.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        self.axes.set_ylim(low / 1.15, high * 1.15)
        self.axes.yaxis.set_major_formatter(FuncFormatter(unit))
        self.axes.yaxis.set_minor_formatter(NullFormatter())
        self.axes.set_xlabel("events in the store", fontsize=8)
        self.axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=2)


def median(values: list) -> float:
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def draw(runs: list, path: Path) -> None:
    kept = [(run["events"], run["keeping"]) for run in runs if run["keeping"]]
    shared = [run["peers"] for run in runs if run["peers"]]
    rated = [(run["events"], run["rates"]["rows"]) for run in runs if run["rates"]]
    names = {peer["which"]: peer["name"] for all_of in shared for peer in all_of["peers"]}

    def own(value) -> list:
        return [(events, value(keeping)) for events, keeping in kept]

    def asked(name: str, how: str, value) -> list:
        return own(lambda keeping: next(
            (value(asked[how]) for asked in keeping["asked"] if asked["name"] == name), None
        ))

    def peers(value) -> list:
        return [(all_of["made"]["events"], value(all_of)) for all_of in shared]

    def peer(which: str, value) -> list:
        return peers(lambda all_of: next(
            (value(one) for one in all_of["peers"] if one["which"] == which), None
        ))

    def each_peer(panel: Panel, value) -> None:
        for which, name in names.items():
            panel.line(name, peer(which, value), COLOURS[which])

    figure, axes = plt.subplots(2, 3, figsize=(13, 9.2), dpi=90)
    disk, memory, rate, start, history, export = (axis for row in axes for axis in row)

    panel = Panel(disk, "On disk", "bytes an event")
    disk_of = lambda keeping: keeping["log_bytes"] + keeping["index_bytes"]
    panel.line("profiletrail, log and index", own(lambda k: disk_of(k) / k["made"]["events"]), OWN)
    panel.line("peers' SQLite", peers(lambda p: p["made"]["bytes"] / p["made"]["events"]), SHELL)
    panel.line("raw lines", own(lambda k: k["made"]["raw_bytes"] / k["made"]["events"]), LIMIT, ":")
    panel.line("raw lines, zstd -3", own(lambda k: k["made"]["zstd_bytes"] / k["made"]["events"]), LIMIT, "--")
    panel.finish()

    panel = Panel(memory, "Memory of the server", "MiB resident")
    panel.line("profiletrail, at most", own(lambda k: max(
        [asked["server"]["peak_kib"] for asked in k["asked"]] + [k["made"]["memory"]["peak_kib"]]
    ) / 1024), OWN)
    panel.line("profiletrail, after histories", own(
        lambda k: next(a["server"]["rss_kib"] for a in k["asked"] if a["name"] == "history") / 1024
    ), SECOND, "--")
    each_peer(panel, lambda one: one["memory"]["rss_kib"] / 1024)
    panel.mark(128, "128 MiB")
    panel.finish()

    panel = Panel(rate, f"Calls, {CONNECTIONS} connections (peers: empty)", "calls answered 200 in a second")
    lines: dict = {}
    for events, rows in rated:
        for row in rows:
            if row["connections"] == CONNECTIONS:
                lines.setdefault((row["kind"], row["name"].split(", holding")[0]), []).append(
                    (events, row["per_second"])
                )
    by_name = {name: COLOURS[which] for which, name in names.items()}
    for (kind, name), points in lines.items():
        if kind == "full":
            panel.line("profiletrail, with that store", points, OWN)
        elif kind == "empty":
            panel.line("profiletrail, empty store", points, SECOND, "--")
        elif kind == "peer":
            panel.line(name, points, by_name.get(name, SHELL))
        elif kind == "nothing":
            panel.line(name, points, LIMIT, ":")
    panel.finish()

    panel = Panel(start, "From start to first answer", "milliseconds")
    panel.line("profiletrail, after a stop", own(lambda k: k["after_stop"]["answer_ms"]), OWN)
    panel.line("profiletrail, after kill -9", own(lambda k: k["after_kill"]["answer_ms"]), SECOND, "--")
    each_peer(panel, lambda one: one["after_stop_ms"])
    panel.finish()

    panel = Panel(history, "History of one profile (20 events)", "milliseconds, whole process (peers: HTTP alone)")
    took = lambda timed: median(timed["all_ms"])
    panel.line("profiletrail, server running", asked("history", "live", took), OWN)
    panel.line("profiletrail, no server", asked("history", "offline", took), SECOND, "--")
    each_peer(panel, lambda one: one["history_ms"])
    panel.line("sqlite3 shell", peers(lambda p: p["shell_history"] and took(p["shell_history"])), SHELL)
    panel.finish()

    panel = Panel(export, "Export of everything", "events a second")
    speed = lambda timed: timed["lines"] / (took(timed) / 1e3)
    panel.line("profiletrail, export", asked("export", "offline", speed), OWN)
    panel.line("profiletrail, export --raw", asked("export --raw", "offline", speed), SECOND, "--")
    panel.line("sqlite3 shell, bodies", peers(lambda p: p["shell_export"] and speed(p["shell_export"])), SHELL)
    panel.finish()

    figure.tight_layout(w_pad=2.0, h_pad=2.0)
    figure.savefig(path)
    # A palette makes it a third as large, and nobody sees it.
    with Image.open(path) as image:
        image.convert("RGB").quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    runs = json.loads(Path(sys.argv[1]).read_text())["runs"]
    if not any(run["keeping"] for run in runs):
        sys.exit("plot.py: nothing was measured of a store")
    draw(runs, Path(sys.argv[2]) / "bench.png")


main()
