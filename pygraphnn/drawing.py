"""Pictures of networks for people: what computes, and what it reads; no plumbing, unless it is asked for."""

from __future__ import annotations

import html
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nn

from . import render
from .columns import Columns
from .facts import dotted, text
from .gmodule import gModule
from .render import dotEscape, quoted
from .view import Box, Edge, View

# Fill and border of each family of modules: light enough for black letters, and told apart by people who do not see
# red or green, and in print. After Paul Tol's palette "light".
COLOURS = {
    "layers": ("#bbd6f2", "#4477aa"),
    "spatial": ("#c8eef8", "#3a93ab"),
    "activations": ("#c5e8d5", "#228866"),
    "tables": ("#f8efc4", "#b09a3a"),
    "criterions": ("#fbd3dc", "#c0617a"),
    "containers": ("#e0dcf0", "#7a6fae"),
    "normalization": ("#e4eba6", "#8a9a1f"),
    "graphs": ("#f9d9c4", "#c2703d"),
}
OTHER = ("#ececec", "#777777")
PLUMBING = {"fillcolor": "#f4f4f4", "color": "#bbbbbb", "margin": "0.03,0", "height": "0.2", "width": "0.3"}
GREY = "#666666"
LINK = {
    "shape": "circle",
    "fillcolor": "white",
    "color": "#5f6b76",
    "fontsize": "9",
    "margin": "0.02",
    "width": "0.2",
    "height": "0.2",
    "tooltip": "from one column to another",
}
INK = "#5f6b76"
STATE = "#4477aa"
FAILED = ("#c62828", "#7f0000")
FRAMES = ("#fafafa", "#f1f3f5")  # a graph in a graph is a little darker than what is around it, in turns
MEMBERS = 6  # of a container: its box lists no more
WIDEST = 60  # letters of a module's text
BREAK = "<br/>"
BACKSLASH = "&#92;"
PAGE = ((7.4, 10.8), (10.8, 7.4))  # inches: A4, upright and across
FINE = 300  # dots per inch of a picture that is made smaller to fit a page
LEGIBLE = 60  # the same for its letters: of a picture made much smaller, a page has so many more dots
PIXELS = (40_000_000, 30_000)  # but a picture no more than these, in all and along a side
PATIENCE = "nslimit=20"  # Graphviz' in placing boxes side by side: less is untidy, more takes long in a tangle


def draw(g: Any, path: str | os.PathLike[str], title: str | None = None, **options: Any) -> None:
    """Draws a gModule to a file: .svg, .png, .pdf, or .dot for the text of the graph.

    Each node shows its annotated name, its module, once it was run the shape of its output, and how many parameters it
    has; where it was made, and what flows along an edge, are told as tooltips in svg. An edge from a part of a split
    carries the part's number. Nodes that share parameters have a double border and the same letter. Annotations
    `description` and `graphAttributes` are honoured. `options` are those of `picture`.

    png and pdf fit a page, upright or across. Raises ValueError for another suffix, and says what to install when
    there is no Graphviz.
    """
    dot_text = picture(g, title, **options)
    if Path(path).suffix.lower() in (".png", ".pdf"):
        dot_text = fitted(dot_text)
    render.write(dot_text, path)


def picture(
    g: Any,
    title: str | None = None,
    *,
    fold: bool | str | Iterable[str] = False,
    states: Mapping[int, int] | None = None,
    plumbing: bool = False,
    failed: Iterable[Any] = (),
    rows: int | None = None,
) -> str:
    """The network in Graphviz' language, as draw() shows it.

    `fold`: graphs inside the graph are drawn with their own nodes in a frame; True makes each of them one box, a name
    or several names (annotated to the node, or the graph's `name`) those with these names.
    `states`: dashed edges to the next time step: {2: 1} says that input 2 gets what output 1 was, counted from 1.
    `plumbing`: shows everything: the graph's own input and output node, and the nodes that split tables.
    `failed`: the `data` of nodes that are to be red, with the frames around them.
    `rows`: of how many rows of boxes a column has about, before the picture goes on in another; 0: there is one column
    only; without it, as many as make a page. What goes from one column to another has a letter at both ends.

    Raises ValueError for names of graphs that there are not, and for states that are no inputs or outputs.

    >>> import pygraphnn
    >>> x = nn.Identity()()
    >>> text = picture(pygraphnn.gModule([x], [nn.Tanh()(x)]))
    >>> text.count("->"), "nn.Tanh" in text
    (2, True)
    """
    view = View(g, fold, plumbing, states, failed)
    columns = Columns(view, rows)
    lines = ["digraph network {", f"{PATIENCE};", 'node [shape=box, style="rounded,filled", margin="0.1,0.05"];']
    if title is not None:
        lines.append(f"labelloc=t; label=<<b>{escaped(str(title))}</b>>;")
    lines += contents(None, view.boxes, columns)
    lines += links(columns)
    lines += [drawn(edge) for edge in view.edges if edge not in columns.ends]
    return "\n".join([*lines, "}"])


def fitted(dot_text: str) -> str:
    """The text with a page's size, if the picture is larger than a page."""
    try:
        svg = render.render(dot_text, "svg").decode()
    except render.RendererMissing:  # write() says so, and leaves the text
        return dot_text
    width, height = (float(n) / 72 for n in re.findall(r'\b(?:width|height)="([\d.]+)pt"', svg)[:2])
    page = PAGE[width > height]
    scale = min(page[0] / width, page[1] / height)
    if scale >= 1:
        return dot_text
    most = min(math.sqrt(PIXELS[0] / (width * height)), PIXELS[1] / max(width, height)) / scale
    dpi = max(FINE, int(min(LEGIBLE / scale, most)))
    return dot_text.removesuffix("}") + f'size="{page[0]},{page[1]}"; dpi={dpi};\n}}'


# -- boxes


def contents(around: Box | None, boxes: Iterable[Box], columns: Columns, depth: int = 0) -> Iterator[str]:
    """The lines that say how the boxes inside a box look, and those inside them."""
    yield from columns.lines(around)  # first, for Graphviz keeps the order where nothing speaks against it
    for box in boxes:
        if box.inside:
            yield f"subgraph cluster_{box.id} {{"
            yield f"graph [{attributes(frame(box, depth))}];"
            yield from contents(box, box.inside, columns, depth + 1)
            yield "}"
        else:
            yield f"{box.id} [{attributes(look(box))}];"
    for link in sorted(columns.links.get(around, ())):
        yield f"{link.id} [{attributes({**LINK, 'label': link.mark})}];"


def look(box: Box) -> dict[str, str]:
    """The attributes of a box."""
    fact = box.fact
    fill, border = COLOURS.get(fact.family, OTHER) if fact else OTHER
    found = {"fillcolor": fill, "color": border}
    if box.pill:
        found = {"fillcolor": "white", "color": GREY, "margin": "0.06,0.03", "height": "0.3"}
    elif fact is not None and fact.module is None:
        found = PLUMBING
    if fact is not None and fact.shared:
        found = {**found, "peripheries": "2"}
    if box.failed:
        found = {**found, "fillcolor": FAILED[0], "color": FAILED[1], "penwidth": "2", "fontcolor": "white"}
    return finished(found, box)


def frame(box: Box, depth: int) -> dict[str, str]:
    """The attributes of the frame around the nodes of a nested graph."""
    colour = {"color": FAILED[0], "penwidth": "3"} if box.failed else {"color": COLOURS["graphs"][1]}
    place = {"labeljust": "l", "labelloc": "b", "fontsize": "12", "margin": "10"}
    look = {"style": "rounded,filled", "fillcolor": FRAMES[depth % 2], **place}
    return finished({**look, **colour}, box)


def finished(look: dict[str, str], box: Box) -> dict[str, str]:
    """The attributes with the label, the tooltip, and what the node's annotations ask for."""
    fact = box.fact
    told = [fact.text if fact else box.title, size(box), f"made at {fact.line}" if fact and fact.line else ""]
    look = {**look, "label": table(label(box)), "tooltip": tip(filter(None, told))}
    notes = fact.node.data.annotations if fact else {}
    given = notes.get("graphAttributes") or {}
    if fact and not isinstance(given, Mapping):
        raise TypeError(
            f"pygraphnn.draw: expected graphAttributes as a dict, got {given!r:.80} for {fact.node.described()}"
        )
    wanted = {str(k): str(v) for k, v in given.items() if v is not None}
    if wanted.get("tooltip") == notes.get("_debugLabel"):  # by a drawing of graph.dot, not by a person
        wanted.pop("tooltip", None)
    return {**look, **wanted}


def label(box: Box) -> Iterator[str]:
    """The lines of a label."""
    fact, frame = box.fact, bool(box.inside)
    name = box.name
    grey = "white" if box.failed and not frame else GREY
    if name:
        yield f"<b>{escaped(name)}</b>"
    if fact is not None and not box.pill and not (frame and name):
        words = cut(fact.text)
        yield small(words, grey) if frame or fact.module is None else escaped(words)  # edges cross a frame's label
        if inside := members(fact.module):
            yield "".join(small(member, grey) + '<br align="left"/>' for member in inside)
    if not frame and (told := size(box)):
        yield small(told, grey)
    if box.becomes:
        yield small(f"→ {box.becomes}", STATE)
    if fact is not None and fact.shared:
        yield f'<font point-size="9"><b>shared {fact.shared}</b></font>'
    if box.failed and fact is not None and not frame:
        came = ", ".join(filter(None, fact.inputs))
        yield f"<b>{escaped(f'failed on {came}' if came else 'failed')}</b>"
    if fact is not None and fact.description:
        yield f'<font point-size="9"><i>{escaped(fact.description)}</i></font>'


def size(box: Box) -> str:
    """The shape of what a box makes, and how many parameters it has."""
    count = box.fact.parameters if box.fact else 0
    shape = "" if box.failed and not box.inside else box.shape
    return " · ".join(filter(None, (shape, f"{count:,} parameter{'s'[: count != 1]}" if count else "")))


def members(module: Any) -> list[str]:
    """The modules in a container, a line each, up to MEMBERS, counted from 1 as Torch prints them."""
    if not isinstance(module, nn.Container) or isinstance(module, (gModule, nn.Decorator)):
        return []
    inside = [f"({i}) {cut(text(member))}" for i, member in enumerate(module.modules, 1)]
    return inside if len(inside) <= MEMBERS else [*inside[: MEMBERS - 1], f"… {len(inside)} in all"]


def cut(words: str) -> str:
    """A module's text, if it is not so long that its box would be wider than others by far."""
    return words if len(words) <= WIDEST else words[: WIDEST - 1] + "…"


# -- edges


def drawn(edge: Edge, start: str = "", end: str = "") -> str:
    """The line of an edge, or of what goes from its start to another box, or from that to its end."""
    look = {"tooltip": tip(filter(None, ("to the next time step" if edge.state else "", edge.shape)))}
    if edge.parts and not start:
        look |= {"headlabel": Html(small(dotted(edge.parts), INK)), "labeldistance": "1.9"}
    if edge.state:
        look |= {"style": "dashed", "color": STATE, "constraint": "false"}
    return f"{start or edge.start.id} -> {end or edge.end.id} [{attributes(look)}];"


def links(columns: Columns) -> Iterator[str]:
    """The lines of edges from one column to another; a value leaves its column once."""
    left = set()
    for edge, (out, into) in columns.ends.items():
        if out not in left:
            yield drawn(edge, end=out.id)
        left.add(out)
        yield drawn(edge, start=into.id)


# -- Graphviz' language


class Html(str):
    """A label in Graphviz' HTML."""


def attributes(look: Mapping[str, str]) -> str:
    """Names and values, as they stand in brackets."""
    return ", ".join(
        f"{k}=<{v}>" if isinstance(v, Html) else f"{dotEscape(k)}={quoted(v)}" for k, v in look.items() if k
    )


def table(lines: Iterable[str]) -> Html:
    """A label of several lines, which stand a little apart."""
    rows = "".join(f"<tr><td>{line}</td></tr>" for line in lines)
    return Html(f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{rows}</table>' if rows else "")


def escaped(words: str) -> str:
    """Words of any kind in a label in HTML, where two backslashes show one."""
    lines = html.escape(words).replace("\\", 2 * BACKSLASH).splitlines()
    return BREAK.join(line or "&#160;" for line in lines)


def tip(lines: Iterable[str]) -> str:
    """Lines of any kind as a tooltip, where four backslashes show one; a space for none, or Graphviz makes one up."""
    lines = [line for text in lines for line in text.splitlines()]
    return "\n".join(html.escape(line).replace("\\", 4 * BACKSLASH) for line in lines) or " "


def small(words: str, colour: str) -> str:
    """Words in small letters."""
    return f'<font point-size="9" color="{colour}">{escaped(words)}</font>'
