"""Recall and latency of one set as an SVG: plot.py RESULTS.json OUTPUT.svg. The same results give the same file."""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "iscc_usearch"
matplotlib.rcParams["svg.fonttype"] = "none"

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator  # noqa: E402

# Recall is drawn by what is missed, on a logarithmic scale; nothing missed is drawn here.
NOTHING_MISSED = 0.0003
TICKS = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1]
COLOURS = {
    "iscc_usearch, mixed": "#6aa9e0",
    "iscc_usearch": "#1f5fbf",
    "pgvector": "#d9730d",
    "FAISS": "#4b9e5f",
    "hnswlib": "#8c6d1f",
    "USearch": "#c2407e",
    "iscc-usearch": "#9b4fb0",
    "sequential": "#777777",
}


def missed(recall):
    return max(1 - recall, NOTHING_MISSED)


def colour(system):
    return next(value for start, value in COLOURS.items() if system.startswith(start))


def draw(axes, system, points, nth):
    """A curve through a system's settings, in their order, and a star for its default; a single setting is a mark."""
    swept = [point for point in points if point["setting"] != "default"]
    x = [missed(point["recall"]) for point in swept]
    y = [point["median"] for point in swept]
    style = ["-", "--", ":", "-."][nth % 4]
    marker = "o" if len(swept) > 1 else ["D", "s", "^", "v"][nth % 4]
    axes.plot(x, y, style, marker=marker, markersize=4, linewidth=1.3, color=colour(system), label=system)
    for point in points:
        if point["setting"] == "default":
            axes.plot(missed(point["recall"]), point["median"], "*", markersize=13, color=colour(system))


def main(source, target):
    with open(source, encoding="utf-8") as file:
        results = json.load(file)
    figure, axes = plt.subplots(figsize=(8.5, 5.2))
    systems = {}
    for point in results["points"]:
        systems.setdefault(point["system"], []).append(point)
    drawn = {}
    for system, points in systems.items():
        nth = drawn.get(colour(system), 0)
        drawn[colour(system)] = nth + 1
        draw(axes, system, points, nth)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(max(0.2, *(missed(point["recall"]) for point in results["points"])) * 1.2, NOTHING_MISSED * 0.8)
    axes.xaxis.set_major_locator(FixedLocator([missed(tick) for tick in TICKS]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "1" if x <= NOTHING_MISSED else f"{1 - x:.4g}"))
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_xlabel("recall@10")
    axes.set_ylabel("median latency, ms")
    axes.set_title(results["title"], fontsize=11)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(target, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
