"""The picture that Torch makes of a confusion matrix: an array, and what shows it."""

from __future__ import annotations

import functools
import os
import tempfile
import textwrap
from typing import Any

import numpy as np

from torch7.optional import optional
from torch7.replacing import replacing

from .pictures import Picture, Screen, fonts, new_figure, quietly

DPI = 72  # at which a point of a font is a pixel
SMALLEST_TEXT = 10  # blocks of fewer pixels than this have no text
GRID = 0.1
TITLE = "Confusion matrix [sorted by {}, global accuracy = {:.3f}%, per-class accuracy = {:.3f}%]"


class Arrangement:
    """What a picture shows of a matrix whose measures are computed, in the order in which it shows it.

    With `sortmode` "score" classes with the largest share of right ones come first, with "occurrence" those with the
    most examples, with None each is in its place. Raises ValueError for any other.

    * counts (n, n); shares (n, n): of their row; scores (n): the share that is right, 0 without examples
    * examples (n), and frequencies (n): their share of all examples
    * names (n), numbers where there are none; title: what Torch writes above its picture
    """

    def __init__(self, confusion: Any, sortmode: str | None, who: str):
        counts = np.asarray(confusion.mat, np.float64)
        examples = counts.sum(1)
        shares = counts / np.maximum(examples, 1)[:, None]
        orders = {None: np.zeros(len(counts)), "score": shares.diagonal(), "occurrence": examples}
        if sortmode not in orders:
            raise ValueError(f"{who}: sort mode must be one of: score | occurrence, got {sortmode!r:.80}")
        order = np.argsort(-orders[sortmode], kind="stable")
        self.counts, self.shares = counts[order][:, order], shares[order][:, order]
        self.scores, self.examples = self.shares.diagonal(), examples[order]
        self.frequencies = self.examples / max(examples.sum(), 1)
        self.names = [printable(confusion.name(int(t) + 1) or str(t + 1)) for t in order]
        told = {"score": "scores", "occurrence": "occurrences"}.get(sortmode or "", "classes")
        self.title = TITLE.format(told, confusion.totalValid * 100, confusion.averageValid * 100)

    def __len__(self) -> int:
        return len(self.names)


def printable(name: str) -> str:
    """The name as one line of characters that can be shown."""
    words = " ".join(name.encode(errors="replace").decode().split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


# -- the array


def painted(arrangement: Arrangement, block: int, legendwidth: int) -> np.ndarray:
    """The picture as an array (3, n * block, n * block + legendwidth) of doubles from 0 to 1."""
    pixels = cells(arrangement, block, legendwidth)
    if block >= SMALLEST_TEXT:
        side = len(arrangement) * block
        write_shares(pixels[:, :side], arrangement, block)
        if legendwidth:
            write_legend(pixels[:, side:], arrangement, block)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def cells(arrangement: Arrangement, block: int, legendwidth: int) -> np.ndarray:
    """The picture without text (height, width, 3): cells, the grid at their lower and right edges, a black legend."""
    side = len(arrangement) * block
    pixels = np.zeros((side, side + legendwidth, 3))
    matrix = pixels[:, :side]
    matrix[...] = cell_colors(arrangement.shares).repeat(block, 0).repeat(block, 1)
    matrix[block - 1 :: block] = matrix[:, block - 1 :: block] = GRID
    return pixels


def cell_colors(shares: np.ndarray) -> np.ndarray:
    """Shares (n, n) as colours (n, n, 3): gray on the diagonal; elsewhere red, in which a few percent can be seen."""
    wrong = np.where(shares > 0, 0.35 + 0.65 * np.sqrt(shares), 0)[..., None] * (1, 0.28, 0.22)
    right = np.eye(len(shares), dtype=bool)[..., None]
    return np.where(right, shares[..., None], wrong)


class Painter:
    """Writes on an array of pixels (height, width, 3) with values from 0 to 1, which change when it is finished."""

    def __init__(self, pixels: np.ndarray):
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]
        self.figure = new_figure((self.width / DPI, self.height / DPI), dpi=DPI, frameon=False)
        agg = optional("matplotlib.backends.backend_agg", "plot", "a picture")
        self.canvas = agg.FigureCanvasAgg(self.figure)
        self.style = {"family": fonts(), "parse_math": False, "usetex": False, "va": "center_baseline"}

    def write(self, x: float, y: float, text: str, size: float, color: Any, ha: str = "left") -> Any:
        """Writes a text of `size` pixels at x pixels from the left and y from the top."""
        style = {**self.style, "ha": ha, "size": size, "color": color}
        return self.figure.text(x, self.height - y, text, transform=None, **style)

    def length(self, text: Any) -> float:
        """The width in pixels of what was written."""
        with quietly():
            return text.get_window_extent(self.canvas.get_renderer()).width

    def shorten(self, text: Any, room: float) -> None:
        """Takes letters from the end of what was written until it is no more than `room` pixels wide."""
        whole = text.get_text()
        kept = len(whole)
        while kept and (length := self.length(text)) > room:
            kept = min(kept - 1, int(kept * room / length))
            text.set_text(f"{whole[:kept].rstrip()}…" if kept else "")

    def finish(self) -> np.ndarray:
        """The pixels with all that was written on them."""
        with quietly():
            self.canvas.draw()
        ink = np.asarray(self.canvas.buffer_rgba()) / 255.0
        self.pixels += ink[..., 3:] * (ink[..., :3] - self.pixels)
        return self.pixels


def write_shares(matrix: np.ndarray, arrangement: Arrangement, block: int) -> None:
    """The share of each cell in percent, in a colour that can be read on it; what is 0 says nothing.

    Each number is written once and stamped into all its cells: a hundred classes have thousands of them.
    """
    n, shares = len(arrangement), arrangement.shares
    percents = np.where(arrangement.counts == 0, -1, np.floor(shares * 100 + 0.5)).astype(int)
    distinct, which = np.unique(percents, return_inverse=True)
    stamps = Painter(np.zeros((block, block * len(distinct), 3)))
    middle = (block - 1) / 2
    for i, percent in enumerate(distinct):
        if percent >= 0:
            stamps.write(i * block + middle, middle, f"{percent:02d}", min(0.42 * block, 20), "white", "center")
    cover = stamps.finish()[..., 0].reshape(block, len(distinct), block)[:, which.reshape(n, n)]
    cover = cover.transpose(1, 0, 2, 3).reshape(n * block, n * block, 1)
    dark = cell_colors(shares) @ (0.3, 0.59, 0.11) < 0.5
    matrix += cover * (dark.repeat(block, 0).repeat(block, 1)[..., None] - matrix)


def write_legend(legend: np.ndarray, arrangement: Arrangement, block: int) -> None:
    """For each row how frequent its class is, in blue, and its name, in gray; both the brighter the more."""
    size = min(0.43 * block, 12)
    painter = Painter(legend)
    gray = arrangement.scores * 0.6 + 0.4
    blue = arrangement.frequencies / max(arrangement.frequencies.max(), 1e-9) * 0.6 + 0.4
    centers = (np.arange(len(arrangement)) + 0.5) * block
    labels = [f"[{np.floor(frequency * 10000 + 0.5) / 100:.2f}% labels]" for frequency in arrangement.frequencies]
    told = [
        painter.write(size, y, label, size, (0.5 * b + 0.2, 0.6 * b + 0.2, 0.75 * b + 0.25))
        for y, label, b in zip(centers, labels, blue)
    ]
    begin = 2 * size + painter.length(max(told, key=lambda text: len(text.get_text())))
    for y, name, g in zip(centers, arrangement.names, gray):
        painter.shorten(painter.write(begin, y, name, size, (g, g, g)), painter.width - 0.5 * size - begin)
    painter.finish()


# -- the screen


class Shown(Picture):
    """An array of pixels below its title."""

    pixels = 100

    def __init__(self, array: np.ndarray, title: str):
        self.array, self.title = array, title
        height, width = array.shape[1:]
        self.width = max(width, 300)
        self.text = textwrap.fill(title, self.width // 7)
        self.height = height + 28 + 16 * self.text.count("\n")

    @property
    def size(self) -> tuple[float, float]:
        return self.width / self.pixels, self.height / self.pixels

    def draw(self, figure: Any) -> None:
        figure.clear()
        figure.set_layout_engine("none")
        figure.set_size_inches(*self.size)
        height, width = self.array.shape[1:]
        left = (self.width - width) // 2  # whole pixels of the picture are those of the screen
        axes = figure.add_axes((left / self.width, 0, width / self.width, height / self.height))
        axes.imshow(self.array.transpose(1, 2, 0))
        axes.axis("off")
        figure.text(0.5, 1 - 6 / self.height, self.text, size=8, ha="center", va="top", usetex=False)


SCREEN = Screen()  # one for all matrices


@functools.cache
def file_instead() -> str:
    """The file that the pictures of this program go to, one after the other, where there is no screen."""
    return os.path.join(tempfile.mkdtemp(prefix="confusion-"), "confusion.png")


def show(array: np.ndarray, title: str) -> None:
    """Shows a picture with a title: in a notebook or in a window, which the next one uses again; else in a file."""
    shown = Shown(array, title)
    SCREEN.reopen()
    if not SCREEN.show(shown):
        with replacing(file_instead()) as draft:
            shown.figure().savefig(draft, dpi=shown.pixels)
        print(f"optim.ConfusionMatrix.render: the picture is in {file_instead()}")
