"""Pictures drawn with matplotlib, their letters, and where people watch them: in a notebook or in a window."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import sys
import threading
import unicodedata
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch7.optional import optional

from .log_files import Unsaved

# Fonts that systems have for what matplotlib's own has no letters for; a picture uses those that are there.
OTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans",
    "Heiti SC",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)


def fonts() -> list[str]:
    """The user's fonts, then those on the system that have letters which these may lack."""
    matplotlib, manager = (optional(f"matplotlib{part}", "plot", "text") for part in ("", ".font_manager"))
    there = set(manager.fontManager.get_font_names())
    return [*matplotlib.rcParams["font.family"], *(name for name in OTHER_FONTS if name in there)]


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No warnings of letters that no font has, for which boxes stand in the picture, nor of fonts that are not bold."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"(?s).*[Gg]lyph.*")
            yield
    finally:
        log.setLevel(level)


def breadth(text: str) -> float:
    """About how wide a text is, in the size of its letters."""
    return sum(1.1 if unicodedata.east_asian_width(c) in "WF" else 0.7 for c in text)


def new_figure(size: tuple[float, float], **options: Any) -> Any:
    """A figure of matplotlib, which draws without a window; nothing but what is put on it moves its parts."""
    return optional("matplotlib.figure", "plot", "a picture").Figure(size, layout="none", **options)


class Picture(ABC):
    """What a screen shows: its title, its size in inches, and what it draws on a matplotlib figure."""

    title: str
    pixels = 72  # in an inch of a notebook, whose pictures have twice as many for fine screens

    @property
    @abstractmethod
    def size(self) -> tuple[float, float]:
        """Width and height of a new figure."""

    @abstractmethod
    def draw(self, figure: Any) -> None:
        """Draws in place of what is there."""

    def figure(self) -> Any:
        """A new figure with the picture."""
        figure = new_figure(self.size)
        self.draw(figure)
        return figure


class Screen(Unsaved):
    """Where pictures are shown in place of each other: in a notebook, in a window, or nowhere without a display.

    A window that was closed stays closed while a script runs; `reopen`, or working by hand, brings it back.
    """

    def __init__(self) -> None:
        self.figure: Any = None  # that of the window
        self._number = 0  # by which pyplot knows it
        self._nowhere = False
        self._output: Any = None
        self._cell: Any = None

    def show(self, picture: Picture) -> bool:
        """Shows a picture in place of the last one; False where there is nothing to show it in."""
        shell = _notebook()
        if shell is not None:
            self._show_in_notebook(picture, shell)
            return True
        if self._nowhere or threading.current_thread() is not threading.main_thread():
            return False
        with quietly():
            self._show_in_window(picture)
        return not self._nowhere

    def reopen(self) -> None:
        """Lets the next picture open a window even if the last one was closed."""
        if self.figure is not None and not self._is_open():
            self.figure = None

    def _show_in_notebook(self, picture: Picture, shell: Any) -> None:
        """Replaces the picture below the running cell; another cell, or the same one run again, gets its own."""
        bundle, metadata = _bundle(picture)
        cell = getattr(shell, "execution_count", None)
        if self._output is not None and cell == self._cell:
            self._output.update(bundle, raw=True, metadata=metadata)
            return
        from IPython.display import display

        self._output = display(bundle, raw=True, metadata=metadata, display_id=True)
        self._cell = cell

    def _show_in_window(self, picture: Picture) -> None:
        pyplot = _pyplot()
        if hasattr(sys, "ps1"):
            self.reopen()
        if self.figure is None:
            self.figure = _new_window(pyplot, picture)
            self._nowhere = self.figure is None
            self._number = 0 if self._nowhere else _number(self.figure)
        if self._nowhere or not self._is_open():
            return
        picture.draw(self.figure)
        try:
            self.figure.canvas.manager.set_window_title(picture.title)
            with pyplot.rc_context({"figure.raise_window": False}):
                self.figure.show()
            self.figure.canvas.draw()
            self.figure.canvas.flush_events()
        except Exception:  # a toolkit's own error of a window that was closed just now
            if self._is_open():
                raise

    def _is_open(self) -> bool:
        return _pyplot().fignum_exists(self._number)


def _pyplot() -> Any:
    return optional("matplotlib.pyplot", "plot", "a window with a picture")


def _notebook() -> Any:
    """IPython's shell if it runs in a notebook, else None."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell if hasattr(shell, "kernel") else None


def _bundle(picture: Picture) -> tuple[dict[str, str], dict[str, Any]]:
    """What a notebook shows, and how large."""
    buffer = io.BytesIO()
    with quietly():
        figure = picture.figure()
        figure.savefig(buffer, format="png", dpi=2 * picture.pixels)
    width, height = (round(inches * picture.pixels) for inches in figure.get_size_inches())
    bundle = {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": picture.title}
    return bundle, {"image/png": {"width": width, "height": height}}


def _number(figure: Any) -> int:
    return figure.canvas.manager.num


def _new_window(pyplot: Any, picture: Picture) -> Any:
    """A window's figure, or None where windows cannot be shown. The current figure of the script stays current."""
    current = _number(pyplot.gcf()) if pyplot.get_fignums() else None
    try:
        figure = pyplot.figure(figsize=picture.size)
    except Exception:  # the toolkits' own errors of a display that is not there
        return None
    if current is not None:
        pyplot.figure(current)
    if figure.canvas.required_interactive_framework is None:
        pyplot.close(figure)
        return None
    return figure
