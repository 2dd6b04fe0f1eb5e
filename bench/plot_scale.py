"""How searches, thresholds, building and space grow with the number of codes: plot_scale.py RESULTS.json OUTPUT.svg."""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "iscc_usearch"
matplotlib.rcParams["svg.fonttype"] = "none"

import matplotlib.pyplot as plt  # noqa: E402

COLOURS = ["#1f5fbf", "#4b9e5f", "#d9730d", "#9b4fb0"]


def labelled(axes, title, ylabel):
    axes.set_xscale("log")
    axes.set_xlabel("codes")
    axes.set_ylabel(ylabel)
    axes.set_title(title, fontsize=11)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(fontsize=8, frameon=False)


def main(source, target):
    with open(source, encoding="utf-8") as file:
        sizes = json.load(file)["sizes"]
    codes = [size["codes"] for size in sizes]
    figure, ((searches, thresholds), (building, space)) = plt.subplots(2, 2, figsize=(10, 7.5))
    for colour, kind in zip(COLOURS, sizes[0]["searches"]):
        of = [size["searches"][kind] for size in sizes]
        searches.plot(codes, [times["median"] for times in of], "o-", color=colour, label=f"{kind}, median")
        searches.plot(codes, [times["p99"] for times in of], "^:", color=colour, label="99 %")
    searches.set_yscale("log")
    labelled(searches, "The ten nearest", "ms")
    for colour, radius in zip(COLOURS, sizes[0]["thresholds"]):
        of = [size["thresholds"][radius]["default"] for size in sizes]
        thresholds.plot(codes, [times["median"] for times in of], "o-", color=colour, label=f"{radius}, median")
        thresholds.plot(codes, [times["p99"] for times in of], "^:", color=colour, label="99 %")
    exact = [size["thresholds"][radius]["exact"]["median"] for size in sizes]
    thresholds.plot(codes, exact, "--", color="#777777", label="comparing all, median")
    thresholds.set_yscale("log")
    labelled(thresholds, "All within a radius", "ms")
    building.plot(codes, [size["build_rate"] for size in sizes], "o-", color=COLOURS[0], label="CREATE INDEX")
    building.set_ylim(bottom=0)
    labelled(building, "Building", "codes/s")
    log, shards = ([size[part] for size in sizes] for part in ("log", "shards"))
    space.stackplot(codes, log, shards, labels=["log", "shards"], colors=[COLOURS[2], COLOURS[0]], alpha=0.7)
    labelled(space, "Space", "bytes per code")
    figure.tight_layout()
    figure.savefig(target, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
