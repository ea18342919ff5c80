"""Graphs as pictures: text in Graphviz' language becomes svg, png or pdf, in files, in notebooks and on the screen."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.replacing import replace, suffix_of

__all__ = ["RendererMissing", "dot", "dotEscape", "graphvizFile", "graphvizLayout", "render", "show", "write"]

FORMATS = ("dot", "svg", "png", "pdf")
ALGORITHMS = ("dot", "neato", "fdp", "sfdp", "twopi", "circo", "osage", "patchwork")

STYLE = (  # on one line, so that Graphviz counts the lines of a text as its author does
    ' graph [fontname="Helvetica", fontsize=16, pad=0.2, nodesep=0.3, ranksep=0.4];'
    ' node [fontname="Helvetica", fontsize=11, style=filled, fillcolor="#eef4fb", color="#4a6d8c"];'
    ' edge [fontname="Helvetica", fontsize=10, color="#5f6b76", arrowsize=0.7];'
)
PNG_STYLE = " graph [dpi=144];"


class RendererMissing(RuntimeError):
    """There is no Graphviz to draw with."""


# -- Graphviz' language

_KEYWORDS = {"node", "edge", "graph", "digraph", "subgraph", "strict"}
_LONE_BACKSLASH = re.compile(r'(?<!\\)((?:\\\\)*\\)(?="|\Z)')


def dotEscape(text: str) -> str:
    """A text as a value in Graphviz' language: letters alone as they are, anything else in quotes.

    Newlines and quotes are escaped. Backslashes are not, so that Graphviz' own escapes work, such as `\\l` for the end
    of a line that is set to the left; only one that would hide a closing quote is doubled, which Torch does not do.

    >>> print(dotEscape("plain"), dotEscape("two words"), dotEscape('a"b'))
    plain "two words" "a\\"b"
    """
    if (text.isascii() and text.isalpha() and text.lower() not in _KEYWORDS) or not text:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """A text as a quoted value in Graphviz' language, escaped as dotEscape does it."""
    escaped = _LONE_BACKSLASH.sub(r"\1\\", text).replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


# -- drawing

_OPENING = re.compile(r'\b(?:strict\s+)?(?:di)?graph\b\s*(?:"(?:[^"\\]|\\.)*"|[^\s{"]*)\s*\{', re.IGNORECASE)
_LAST_LINE = re.compile(r'(\\l(?:[^"\\]|\\[^nlr])+)"')
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(dot_text: str, format: str = "svg", algorithm: str = "dot") -> bytes:
    """The picture of a graph given in Graphviz' language.

    `format` is "svg", "png", "pdf", or "dot" for the text itself, which needs no Graphviz; `algorithm` is one of
    Graphviz' layouts: dot, neato, fdp, sfdp, twopi, circo, osage, patchwork. What the text does not say about fonts
    and colours is chosen here. Characters that no picture can show become U+FFFD.

    Raises ValueError for an unknown format or algorithm and for a text that is not in Graphviz' language, and
    RendererMissing, a RuntimeError, when there is no Graphviz.

    >>> render("digraph { a -> b }", "dot")
    b'digraph { a -> b }'
    """
    if not isinstance(dot_text, str):
        raise TypeError(f"pygraphnn.render: expected a text in Graphviz' language, got a {type(dot_text).__name__}")
    if format not in FORMATS:
        raise ValueError(f"pygraphnn.render: unknown format {format!r}, expected one of {', '.join(FORMATS)}")
    return _encoded(dot_text) if format == "dot" else _graphviz(dot_text, format, algorithm)


def write(dot_text: str, path: str | os.PathLike[str], algorithm: str = "dot") -> None:
    """Writes the picture of a graph to a file, in the format that its suffix names: .svg, .png, .pdf or .dot.

    When drawing or writing fails, the file is as it was before. Without a Graphviz the text is written beside it, with
    the suffix .dot, before RendererMissing is raised.
    """
    path = Path(path)
    format = suffix_of(path, FORMATS, "pygraphnn.write")
    try:
        picture = render(dot_text, format, algorithm)
    except RendererMissing as error:
        beside = path.with_suffix(".dot")
        replace(beside, render(dot_text, "dot"))
        raise RendererMissing(f"{error} The graph is in {beside}, as text.") from None
    replace(path, picture)


def _encoded(text: str) -> bytes:
    return _UNSHOWABLE.sub("\ufffd", text).encode()


def _styled(text: str, format: str) -> str:
    """The text with the defaults of this module where its own can overrule them, and labels set to the left wholly."""
    style = STYLE + (PNG_STYLE if format == "png" else "")
    text = _LAST_LINE.sub(r'\1\\l"', text)  # Torch's labels end their last line with nothing: it would be centered
    return _OPENING.sub(lambda opening: opening[0] + style, text, count=1)


# -- the program that draws: a process of its own, which may be interrupted, and may fail without harm

_NOT_USABLE = 86
_PYGRAPHVIZ = f"""
import sys
algorithm, format, *places = sys.argv[1:]
sys.path += places
try:
    from pygraphviz import AGraph
except ImportError:
    sys.exit({_NOT_USABLE})
text = sys.stdin.buffer.read().decode()
sys.stdout.buffer.write(AGraph(string=text).draw(format=format, prog=algorithm))
"""


def _commands(format: str, algorithm: str) -> Iterator[list[str]]:
    """The commands that may turn a graph on their standard input into a picture on their standard output."""
    if sys.executable and importlib.util.find_spec("pygraphviz") is not None:
        yield [sys.executable, "-I", "-c", _PYGRAPHVIZ, algorithm, format, *filter(None, sys.path)]
    program = shutil.which("dot")
    if program is not None:
        yield [program, f"-K{algorithm}", f"-T{format}"]


def _graphviz(text: str, format: str, algorithm: str) -> bytes:
    """What Graphviz makes of a graph, in any format it knows."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"pygraphnn.render: unknown algorithm {algorithm!r}, expected one of {', '.join(ALGORITHMS)}")
    with tempfile.TemporaryDirectory(prefix="pygraphnn-") as folder:
        options: dict[str, Any] = {
            "input": _encoded(_styled(text, format)),
            "capture_output": True,
            "env": os.environ | _fonts(Path(folder), format),
            "creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0),
        }
        for command in _commands(format, algorithm):
            result = subprocess.run(command, check=False, **options)
            if result.returncode == 0 and result.stdout:
                return result.stdout
            if result.returncode != _NOT_USABLE:
                raise ValueError(f"pygraphnn.render: Graphviz cannot draw this text: {_complaint(result.stderr)}")
    raise RendererMissing(
        f"pygraphnn.render: {format} needs Graphviz, and there is none: pip install pygraphnn[draw], or install your "
        "system's graphviz, so that its program dot is on the PATH."
    )


def _complaint(stderr: bytes) -> str:
    """What Graphviz says is wrong."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return "; ".join([line for line in lines if line.startswith("Error")] or lines[-1:]) or "it does not say why"


# -- fonts: png and pdf hold drawn letters, and a bare machine or container has none to draw

FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/X11/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
)
_FONT_FILES = {".ttf", ".otf", ".ttc", ".pfb"}
_FONT_CONFIGURATION = """<?xml version="1.0"?>
<fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<dir>{fonts}</dir>
<cachedir>{cache}</cachedir>
</fontconfig>
"""


def _fonts(folder: Path, format: str) -> dict[str, str]:
    """Environment variables by which Graphviz finds the font that matplotlib carries, where the system has none."""
    system_has = sys.platform in ("win32", "darwin") or any(map(_has_font, FONT_FOLDERS))
    if system_has or "FONTCONFIG_FILE" in os.environ:
        return {}
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is None or matplotlib.origin is None:
        if format in ("png", "pdf"):
            warnings.warn(
                f"pygraphnn.render: no fonts found, so that {format} has boxes for letters: install fonts (such as the "
                "system's fonts-dejavu) or matplotlib, which carries some; svg does without",
                stacklevel=4,
            )
        return {}
    fonts = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf"
    configuration = folder / "fonts.conf"
    configuration.write_text(_FONT_CONFIGURATION.format(fonts=fonts, cache=folder / "cache"), encoding="utf-8")
    return {"FONTCONFIG_FILE": str(configuration)}


def _has_font(folder: str) -> bool:
    return any(path.suffix.lower() in _FONT_FILES for path in Path(folder).expanduser().rglob("*"))


# -- Torch's functions on graphs


def drawable(g: Any, function: str) -> Any:
    """g, if it is a graph, which knows its nodes and can tell itself as a text; TypeError otherwise."""
    if not hasattr(g, "todot"):
        raise TypeError(f"{function}: expected a graph.Graph, such as the fg of a gModule, got a {torch7.type(g)}")
    return g


def graphvizFile(g: Any, algorithm: str | None, fname: str | os.PathLike[str]) -> None:
    """Writes a drawing of a graph to a file in the format that its suffix names: .svg, .png, .pdf or .dot.

    `algorithm` is one of Graphviz' layouts, "dot" if None. Source: torch/graph.
    """
    write(drawable(g, "graph.graphvizFile").todot(), fname, algorithm or "dot")


def graphvizLayout(g: Any, algorithm: str | None = None) -> np.ndarray:
    """Where Graphviz would draw the nodes: an (n, 2) tensor of x and y in the unit square, y going upwards.

    Row i is the i-th node. `algorithm` is one of Graphviz' layouts, "dot" if None. Source: torch/graph.
    """
    layout = json.loads(_graphviz(drawable(g, "graph.graphvizLayout").todot(), "json0", algorithm or "dot"))
    left, bottom, right, top = map(float, layout["bb"].split(","))
    positions = memory.zeros((len(g.nodes), 2))
    for node in layout.get("objects", ()):
        x, y = map(float, node["pos"].split(","))
        positions[int(node["name"][1:]) - 1] = (x - left) / (right - left), (y - bottom) / (top - bottom)
    return np.clip(positions, 0, 1, out=positions)  # Graphviz rounds what it tells


def dot(g: Any, title: str | None = None, fname: str | os.PathLike[str] | None = None) -> None:
    """Draws a graph, with `title` above it: to `fname`.svg and `fname`.dot, or, without a name, shows it.

    It is shown in the notebook or by the program that the system shows svg files with; where there is neither, it says
    where the picture is. Source: torch/graph.
    """
    save_or_show(drawable(g, "graph.dot").todot(title), fname)


def save_or_show(text: str, fname: str | os.PathLike[str] | None) -> None:
    """Writes the picture of a text in Graphviz' language and the text to files, or, without a name, shows it."""
    if fname is None:
        show(text)
    else:
        write(text, f"{os.fspath(fname)}.dot")
        write(text, f"{os.fspath(fname)}.svg")


def show(dot_text: str) -> None:
    """Shows the picture of a graph given in Graphviz' language, as graph.dot does."""
    if _in_notebook():
        from IPython.display import display

        display(mimebundle(dot_text, "graph"), raw=True)
        return
    path = Path(tempfile.mkdtemp(prefix="graph-")) / "graph.svg"
    write(dot_text, path)
    if not _viewed(path):
        print(f"graph.dot: the picture is in {path}")


def mimebundle(dot_text: str | None, description: str) -> dict[str, str]:
    """What a notebook shows: the picture if there is a text to draw and a Graphviz, and the description in any case."""
    bundle = {"text/plain": description}
    if dot_text is not None:
        with contextlib.suppress(RendererMissing):
            bundle["image/svg+xml"] = render(dot_text, "svg").decode()
    return bundle


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _viewed(path: Path) -> bool:
    """Opens a file in the system's viewer; false where there is no screen or no viewer."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform not in ("win32", "darwin") and not any(map(os.environ.get, screens)):
        return False
    try:
        return webbrowser.open(path.as_uri())
    except (webbrowser.Error, OSError):
        return False
