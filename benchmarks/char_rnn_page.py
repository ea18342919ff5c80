"""Tables and pictures of what benchmarks/char_rnn.py measured, printed or written into the documentation.

    python benchmarks/char_rnn_page.py    writes docs/performance.md anew from the figures in docs/performance/

A page has places `<!-- figures: NAME -->` to `<!-- end -->`; what is between them is replaced.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from char_rnn_contenders import label

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIGURES = DOCS / "performance" / "figures.json"
FLOOR = "matrix products alone"
AGAINST = {"PyTorch module": "to nn", "PyTorch cells": "to cells", FLOOR: "to products"}
AXES = {"steps": "time steps", "batch": "batch", "width": "width"}


class Table(NamedTuple):
    title: str
    head: list[str]
    rows: list[list[str]]


def text(table: Table) -> str:
    """A table to print."""
    lines = [table.head, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    aligned = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
    return "\n".join(["", table.title, *aligned])


def markdown(table: Table, title: bool = True) -> str:
    """A table for a page."""
    lines = [table.head, ["---", *["---:"] * (len(table.head) - 1)], *table.rows]
    return (f"{table.title}:\n\n" if title else "") + "\n".join(f"| {' | '.join(line)} |" for line in lines)


# -- tables


def told(machine: dict[str, Any]) -> str:
    """The machine in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['vectors']}"
    return f"{where}; {threads(machine)}; {versions}, {machine['blas']}"


def titled(table: dict[str, Any]) -> str:
    layers, width = table["model"].split("x")
    sizes = f"batch {table['batch']}, {table['steps']} steps"
    return f"{table['kind'].upper()}, {layers} x {width}, {sizes}, {table['dtype']}"


def number(x: float | None) -> str:
    return "" if x is None or x != x else f"{x:.0f}" if x >= 100 else f"{x:.1f}"


def contest(table: dict[str, Any]) -> Table:
    """All contenders on one network."""
    found = table["found"]
    against = [name for name in AGAINST if name in found]
    head = ["", "best ms", "median ms", *(AGAINST[name] for name in against), "peak MB"]
    rows = []
    for name, ms in found.items():
        ratios = [" / ".join(f"{ms[k] / found[other][k]:.2f}" for k in ("best", "median")) for other in against]
        peak = number(ms.get("peak"))
        rows.append([label(name, table["kind"]), number(ms["best"]), number(ms["median"]), *ratios, peak])
    return Table(f"{titled(table)}; backward needs {table['kept']:.1f} MB kept", head, rows)


def overview(tables: list[dict[str, Any]]) -> Table:
    """The best times of all networks."""
    names = list(tables[0]["found"])
    rows = []
    for table in tables:
        best = [number(table["found"][name]["best"]) for name in names]
        rows.append([f"{table['kind'].upper()} {table['model']} {table['dtype']}", *best])
    return Table("Best milliseconds", ["", *names], rows)


def writing(rows: list[dict[str, Any]]) -> Table:
    """Characters per second."""
    names = list(rows[0]["speeds"])
    lines = [
        [f"{row['dtype']}, {row['texts']} at once", *(f"{row['speeds'][name]:.0f}" for name in names)] for row in rows
    ]
    return Table("Sampling with the LSTM 2 x 128, characters/s", ["texts", *names], lines)


def lengths(rows: list[dict[str, Any]]) -> Table:
    """Time and memory by the length of segments."""
    lines = [
        [str(row["segment"] or "none"), number(row["best"]), number(row["median"]), number(row["peak"])] for row in rows
    ]
    title = "Unroll(step, segment=n) of the LSTM 2 x 128 over 1000 steps, batch 50, float32"
    return Table(title, ["segment", "best ms", "median ms", "peak MB"], lines)


def beginning(found: dict[str, list[float]]) -> Table:
    """What first minibatches take."""
    lines = [[name, *(f"{seconds:.2f}" for seconds in row)] for name, row in found.items()]
    return Table("Unroll of the LSTM 2 x 128 in a new process, seconds", ["", "first minibatch", "third"], lines)


def growing(what: str, lines: dict[str, dict[Any, float]]) -> Table:
    """Times by size."""
    sizes = list(next(iter(lines.values())))
    rows = [[label(name, "lstm"), *map(number, line.values())] for name, line in lines.items()]
    return Table(f"LSTM 2 x 128, float32, best ms by {AXES[what]}", ["", *map(str, sizes)], rows)


# -- sentences


def sentence(figures: dict[str, Any]) -> str:
    """The README's words on the speed."""
    tables = {(t["kind"], t["model"], t["dtype"]): t["found"] for t in figures["times"]}
    parts = []
    for dtype in ("float32", "float64"):
        best = {name: ms["best"] for name, ms in tables["lstm", "2x128", dtype].items()}
        ours = next(iter(best.values()))
        parts.append(
            f"{ours / best['PyTorch module']:.2f} times as long as PyTorch's `nn.LSTM` in {dtype} "
            f"({ours / best['PyTorch cells']:.2f} times its loop over `LSTMCell`, {ours / best[FLOOR]:.2f} times the "
            "matrix products alone)"
        )
    machine = figures["machine"]
    words = (
        "Speed: `python benchmarks/char_rnn.py` times char-rnn's networks beside PyTorch's in the same run "
        f"(`pip install torch`). On a machine with {machine['cores']} cores and {machine['vectors']}, with "
        f"{threads(machine)}, a minibatch of its default LSTM through `Unroll` took {parts[0]} and {parts[1]}. A loop "
        f"over clones of the graph, as in Torch's scripts, took {best['clones'] / ours:.1f} times as long as `Unroll`. "
        "[docs/performance.md](docs/performance.md) has the figures, and says what to choose."
    )
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def threads(machine: dict[str, Any]) -> str:
    return "one thread" if machine["threads"] == 1 else f"{machine['threads']} threads"


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "machine": lambda f: textwrap.fill(f"Machine: {told(f['machine'])}.", 120),
    "overview": lambda f: markdown(overview(f["times"]), title=False),
    "contests": lambda f: "\n\n".join(markdown(contest(table)) for table in f["times"]),
    "sampling": lambda f: markdown(writing(f["sampling"]), title=False),
    "segments": lambda f: markdown(lengths(f["segments"]), title=False),
    "first": lambda f: markdown(beginning(f["first"]), title=False),
    "readme": sentence,
}


# -- pictures


def plot(figures: dict[str, Any], folder: Path, formats: tuple[str, ...]) -> None:
    """Draws growth and, if they were measured, segments."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"growth": growth_picture, "segments": segments_picture}
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pygraphnn", "font.size": 9}):
        for name, draw in pictures.items():
            if name in figures:
                figure = draw(figures[name])
                for ending in formats:
                    metadata = {"Date": None} if ending == "svg" else None
                    figure.savefig(folder / f"{name}.{ending}", metadata=metadata, dpi=150)


def growth_picture(growth: dict[str, dict[str, dict[Any, float]]]) -> Any:
    """A panel for each of what grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    panels = figure.subplots(1, len(growth), sharey=True, squeeze=False)[0]
    for axes, (what, lines) in zip(panels, growth.items()):
        for name, line in lines.items():
            style = {"color": "gray", "linestyle": "--"} if name == FLOOR else {"marker": "o", "markersize": 3}
            axes.plot(list(map(int, line)), list(line.values()), label=label(name, "lstm"), **style)
        sizes = list(map(int, next(iter(lines.values()))))
        axes.set(xscale="log", yscale="log", xlabel=AXES[what])
        axes.set_xticks(sizes, list(map(str, sizes)))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("ms per minibatch")
    panels[0].legend(fontsize="small")
    return figure


def segments_picture(rows: list[dict[str, Any]]) -> Any:
    """Memory against time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([row["best"] for row in rows], [row["peak"] for row in rows], "o")
    for row in rows:
        name, place = str(row["segment"] or "no segments"), (row["best"], row["peak"])
        axes.annotate(name, place, xytext=(0, 6), textcoords="offset points", ha="center")
    axes.margins(x=0.15, y=0.15)
    axes.set(xlabel="ms per minibatch of 1000 steps", ylabel="peak MB", ylim=(0, None))
    axes.grid(alpha=0.3)
    return figure


# -- the page


def filled(page: str, figures: dict[str, Any]) -> str:
    """The page with these figures in its places."""

    def fill(place: re.Match[str]) -> str:
        return f"{place[1]}\n{SECTIONS[place[2]](figures)}\n<!-- end -->"

    return re.sub(r"(<!-- figures: (\w+) -->)\n.*?<!-- end -->", fill, page, flags=re.DOTALL)


def write(figures: dict[str, Any]) -> None:
    """Writes the figures into the pages, and draws the pictures."""
    for path in (DOCS / "performance.md", DOCS.parent / "README.md"):
        path.write_text(filled(path.read_text(), figures))
    plot(figures, FIGURES.parent, ("svg",))


def keep(figures: dict[str, Any]) -> None:
    """Keeps the figures, and writes what is made of them."""
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    write(figures)


if __name__ == "__main__":
    write(json.loads(FIGURES.read_text()))
