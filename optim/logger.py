"""Logs of numbers during training, and plots of them."""

from __future__ import annotations

import contextlib
import numbers
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import torch7
from torch7.optional import optional

from .common import described
from .log_formats import FORMATS, Log, Name, Value, format_of
from .log_symbols import at, checked_name, checked_styles, checked_value, place_of
from .pictures import Screen
from .plot_styles import parse_commands, parse_style
from .plotting import Curve, Plot

PathLike = str | os.PathLike[str]


@torch7.register("optim.Logger")
class Logger:
    """Writes a row of symbols (numbers, now and then texts) to a file at each `add`, keeps them, and plots them.

    `Logger("train.log")` starts the file anew, in a folder that is made if need be; with `timestamp` the file's name
    ends in the time. Without a name the rows go to standard output.

        logger = optim.Logger("train.log")
        logger.setNames(["training error", "test error"])
        for epoch in range(10):
            ...
            logger.add([trainError, testError])       # or, without setNames, a dict: {"training error": ..., ...}
            logger.style(["+-", "-"]).plot()          # a window or a notebook's output, and train.log.eps

    Keywords beyond Torch's:

    * format: "torch" (the default; a tab after each column, numbers as `%11.4e`), "csv", "jsonl" (a JSON object in
      each line; NaN is null, infinity 1e999), or "tensorboard" (the filename is the folder for its event files; needs
      the extra tensorboard). csv and jsonl keep all digits.
    * resume: continue the file that is there, after its last complete row, with the symbols read from it. Where there
      is none it is started.

    Each row is in the file when `add` returns; a refused or interrupted one leaves file and symbols as they were.
    `close`, the end of a `with` block or the end of the logger closes the file. A copy, pickle or `.t7` file of a
    logger has all but the open file: it can be plotted, as what `Logger.from_file` returns, but refuses to add.

    Fields: name; file; names, symbols and styles, which are lists, or Tables by name if the first row was a mapping;
    idx, which leads from a name to its place among them; nsymbols; empty, whether there are no names yet; epsfile,
    the picture that plot() writes, `.eps` or any suffix that matplotlib knows, None for none; showPlot; logscale;
    defaultStyle ("+"); plotRawCmd, gnuplot's commands `set` and `unset` of xlabel, ylabel, title, xrange, yrange, key,
    grid and logscale, separated by semicolons, or a function of matplotlib's axes; figure, where plots are shown.

    Source: torch/optim.

    >>> import os, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Logger(os.path.join(folder.name, "train.log")) as logger:
    ...     logger.add({"loss": 2.5, "accuracy": 0.25})
    ...     logger.add({"loss": 1.125, "accuracy": 0.5})
    >>> print(Path(logger.name).read_text().replace("\\t", "|"))
    loss|accuracy|
     2.5000e+00| 2.5000e-01|
     1.1250e+00| 5.0000e-01|
    >>> Logger.from_file(logger.name).symbols
    [[2.5, 1.125], [0.25, 0.5]]
    >>> folder.cleanup()
    """

    TRANSIENT = ("file", "figure", "warned")

    # what a logger from a file may lack, as Lua's tables lack what is nil
    file: Any = None
    figure: Any = None
    epsfile: PathLike | None = None
    plotRawCmd: Any = None
    nsymbols: int | None = None
    format = "torch"
    warned = False

    def __init__(
        self,
        filename: PathLike | None = None,
        timestamp: Any = None,
        *,
        format: str = "torch",
        resume: bool = False,
    ):
        if resume and (timestamp or filename is None):
            got = "no filename" if filename is None else "a timestamp, which makes a new file"
            raise ValueError(f"optim.Logger: resume needs the name of the file to continue, got {got}")
        self._blank("stdout" if filename is None else filename, format)
        if filename is None:
            self.file, self.epsfile = FORMATS[format].standard_output(), None
            print("<Logger> warning: no path provided, logging to std out")
            return
        path = f"{self.name}-{time.strftime('%Y_%m_%d_%X')}" if timestamp else self.name
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        self.file = FORMATS[format].open(path, self._resumed(path) if resume else None)

    def _blank(self, filename: PathLike, format: str) -> None:
        """Gives a new logger its fields."""
        if format not in FORMATS:
            raise ValueError(f"optim.Logger: expected format to be one of {', '.join(FORMATS)}, got {format!r}")
        name = os.fspath(filename) if isinstance(filename, os.PathLike) else filename
        if not isinstance(name, str):
            raise TypeError(f"optim.Logger: expected filename to be a string, got {described(filename)}")
        self.name, self.format = name, format
        self.epsfile = f"{name}.eps"
        self.empty = True
        self.nsymbols = None
        self.names: Any = []
        self.idx: Any = []
        self.symbols: Any = []
        self.styles: Any = []
        self.showPlot = True
        self.plotRawCmd = None
        self.defaultStyle = "+"
        self.logscale = False

    def _resumed(self, path: str) -> Log | None:
        """What there is of a file, of which the logger takes the symbols; None where there is nothing to continue."""
        if not os.path.isfile(path) and not os.path.isdir(path):
            return None
        found = format_of(path)
        if found not in (self.format, None):
            raise ValueError(f"optim.Logger: {path} is in the format {found}, expected {self.format} to resume it")
        log = FORMATS[self.format].read(path)
        self._take(log)
        return log

    def _take(self, log: Log) -> None:
        """Makes a log's symbols the logger's."""
        if log.names:
            vars(self).update(self._named(log.names, isMapping=False))
            for column, values in zip(self.symbols, zip(*log.rows)):
                column.extend(values)

    @classmethod
    def from_file(cls, path: PathLike, format: str | None = None) -> Logger:
        """A logger with the symbols of a file, to be looked at and plotted; it does not write.

        The file may be any that a logger writes, or Torch's; unless given, the format is seen from the content. A last
        line that was cut off is left out. In Torch's columns and in csv, what looks like a number is one.

        Raises ValueError where a line does not fit the names.
        """
        logger = cls.__new__(cls)
        logger._blank(path, format or format_of(os.fspath(path)) or "torch")
        logger._take(FORMATS[logger.format].read(logger.name))
        return logger

    def setNames(self, names: Any) -> Logger:
        """Names the symbols, and writes the names to the file; returns the logger.

        If they are named already, in a file that is resumed, say, the same names change nothing and others are an
        error. (Torch would start anew within the file.)
        """
        file = self._open_file("setNames")
        if not torch7.is_table(names) or not names:
            raise TypeError(f"optim.Logger.setNames: expected a list of names, got {described(names)}")
        names = [checked_name(name) for name in names]
        if not self.empty:
            if list(map(str, names)) != self._texts():
                raise ValueError(f"optim.Logger.setNames: the symbols are already named {self._texts()}, got {names}")
            return self
        fields = self._named(names, isMapping=False)
        with self._all_or_nothing():
            file.write(FORMATS[self.format].header(names))
            vars(self).update(fields)
        return self

    def add(self, symbols: Any) -> None:
        """Adds a row: a list of numbers and strings in the order of the names, or a mapping from names to them.

        The first row names the symbols unless setNames has done it: by the mapping's keys, else by their positions.

        Raises TypeError for anything else, and ValueError for missing values, unknown names, and a closed file.
        """
        file = self._open_file("add")
        names, values = self._row(symbols)
        line = FORMATS[self.format].row(names, values, self._rows() + 1)
        fields = self._named(names, isinstance(symbols, Mapping)) if self.empty else {}
        with self._all_or_nothing():
            if fields:
                file.write(FORMATS[self.format].header(names))
                vars(self).update(fields)
            file.write(line)
            for column, value in zip(self._columns(), values):
                column.append(value)

    def truncate(self, rows: int) -> None:
        """Forgets all rows after the first `rows`, in memory and in the file.

        So a run that goes on from a checkpoint drops what it logged after it:

            logger = optim.Logger("train.log", resume=True)
            logger.truncate(checkpoint.epoch)

        Raises ValueError where there are not so many rows. TensorBoard's older files keep the rows, but hide them.
        """
        self._open_file("truncate")
        if isinstance(rows, bool) or not isinstance(rows, numbers.Integral) or not 0 <= rows <= self._rows():
            raise ValueError(f"optim.Logger.truncate: expected 0 to {self._rows()} rows, got {described(rows)}")
        if rows < self._rows():
            self._cut(int(rows), int(rows) + 1)

    def style(self, symbols: Any) -> Logger:
        """Sets how symbols are drawn: a list in their order or a mapping by their names; returns the logger.

        A style, or each in a list of styles that are drawn on each other, is one of Torch's `.` (dots), `+` (points),
        `-` (lines), `+-` (lines and points), `~` (a cubic spline) and `|` (boxes), one of matplotlib's such as "r--o",
        or gnuplot's "with" lines, points, linespoints, dots, boxes, steps or impulses, with lw, lt, lc, dt, pt, ps.

        Raises TypeError for what is no such string, ValueError for unknown styles and symbols.

        >>> logger = Logger()
        <Logger> warning: no path provided, logging to std out
        >>> logger.style({"loss": ["+", "~"], "speed": "with boxes lw 2"}).add({"loss": 2.5, "speed": 10})
        loss  speed
        2.5000e+00  1.0000e+01
        >>> logger.styles
        Table({'loss': ['+', '~'], 'speed': ['with boxes lw 2']})
        """
        isList = torch7.is_table(symbols)
        if not isList and not isinstance(symbols, Mapping):
            raise TypeError(f"optim.Logger.style: expected a list or a mapping of styles, got {described(symbols)}")
        given = {key: checked_styles(style) for key, style in torch7.pairs(symbols)}
        styles = list(given.values()) if isList else torch7.Table(given)
        if not self.empty:
            styles = self._styled(self.styles, styles, self._texts())
        self.styles = styles
        return self

    def setlogscale(self, state: Any = None) -> None:
        """Turns the logarithmic y-axis of plots on or off; without an argument off, as in Torch."""
        self.logscale = bool(state)

    def display(self, state: Any = None) -> None:
        """Lets plot() show its pictures, or write files alone. A window that was closed comes back after display(True).

        Without an argument, as in Torch, and where there is neither a notebook nor a display, files alone are written.
        """
        self.showPlot = bool(state)
        if self.showPlot and self.figure is not None:
            self.figure.reopen()

    def plot(self, *names: Name, file: PathLike | None = None) -> None:
        """Plots the symbols with these names, or all: shows the picture, and writes it to epsfile, or else to `file`.

        Called again it draws in the same window or, in a notebook, in place of the running cell's picture. Files take
        the format of their suffix. A symbol needs two values; nothing happens where none has. Without matplotlib (the
        extra plot) a remark is printed, once.

        At the end of a script its windows close; `matplotlib.pyplot.show()` waits for the user to close them.

        Symbols that have texts are left out. Raises ValueError where one of them is named, and for unknown names,
        commands in plotRawCmd, and suffixes.
        """
        curves = self._curves(names)
        raw = parse_commands(self.plotRawCmd)
        if not curves or not self._can_plot():
            return
        plot = Plot(f"<Logger::{self.name}>", curves, self.logscale, raw)
        path = self.epsfile if file is None else file
        if path:
            plot.save(path)
        if self.showPlot:
            self.figure = self.figure or Screen()
            self.figure.show(plot)

    def close(self) -> None:
        """Closes the file; the symbols stay and can be plotted."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def __enter__(self) -> Logger:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<optim.Logger {self.name}: {self._rows()} rows of {self._texts()}>"

    # The symbols in their order, whether they are in lists or in tables by name

    def _texts(self) -> list[str]:
        return [str(name) for _, name in torch7.pairs(self.names)]

    def _columns(self) -> list[list[Value]]:
        return [at(self.symbols, key) for key, _ in torch7.pairs(self.names)]

    def _rows(self) -> int:
        return min(map(len, self._columns()), default=0)

    def _named(self, names: list[Name], isMapping: bool) -> dict[str, Any]:
        """The fields that naming the symbols sets."""
        texts = list(map(str, names))
        if len(set(texts)) < len(texts):
            raise ValueError(f"optim.Logger: expected names that differ, got {names}")
        isUnnamed = names == list(range(1, len(names) + 1))
        table = (lambda values: torch7.Table(zip(names, values))) if isMapping else list
        inOrder = table(names)
        styles = table([self.defaultStyle] for _ in names)
        return {
            "empty": False,
            "nsymbols": len(names),
            "names": inOrder,
            "idx": inOrder if isMapping or isUnnamed else {name: i for i, name in enumerate(names, 1)},
            "symbols": table([] for _ in names),
            "styles": self._styled(styles, self.styles, texts),
        }

    def _styled(self, styles: Any, given: Any, texts: list[str]) -> Any:
        """The styles of all symbols with those given in place of some."""
        if torch7.is_table(given) and len(given) > len(texts):
            raise ValueError(f"optim.Logger.style: expected at most {len(texts)} styles, got {len(given)}")
        styles = styles.copy()
        keys = list(range(len(texts))) if torch7.is_table(styles) else list(styles)
        for key, style in torch7.pairs(given):
            place = key - 1 if torch7.is_table(given) else place_of(key, texts, "style")
            styles[keys[place]] = style
        return styles

    def _row(self, symbols: Any) -> tuple[list[Name], list[Value]]:
        """The names and values of a row, in the order of the names."""
        isMapping = isinstance(symbols, Mapping)
        if not (isMapping or torch7.is_table(symbols)) or not symbols:
            raise TypeError(f"optim.Logger.add: expected a list or mapping of values, got {described(symbols)}")
        names = [checked_name(name) for name, _ in torch7.pairs(symbols)]
        values = list(symbols.values()) if isMapping else list(symbols)
        if not self.empty:
            texts = self._texts()
            placed = {place_of(name, texts, "add"): value for name, value in zip(names, values)} if isMapping else {}
            if len(values) != len(texts) or (isMapping and len(placed) < len(texts)):
                got = names if isMapping else f"{len(values)} values"
                raise ValueError(f"optim.Logger.add: expected {len(texts)} values, for {texts}, got {got}")
            names, values = list(texts), [placed[place] for place in sorted(placed)] or values
        return names, [checked_value(name, value) for name, value in zip(names, values)]

    def _open_file(self, method: str) -> Any:
        if self.file is None or self.file.closed:
            raise ValueError(
                f"optim.Logger.{method}: this logger was closed, read or copied, and does not write; "
                "optim.Logger(filename, resume=True) continues a file"
            )
        return self.file

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """After any error or interrupt in the block, fields, symbols and file are what they were before."""
        before, rows, records = dict(vars(self)), self._rows(), self.file.records
        try:
            yield
        except BaseException:
            vars(self).update(before)
            self._cut(rows, records)
            raise

    def _cut(self, rows: int, records: int) -> None:
        """Keeps the first rows in memory, and the first records of the file."""
        for column in self._columns():
            del column[rows:]
        self.file.cut(records)

    def _curves(self, names: Any) -> list[Curve]:
        """What a plot of these names shows."""
        texts, keys, columns = self._texts(), [key for key, _ in torch7.pairs(self.names)], self._columns()
        places = [place_of(name, texts, "plot") for name in names] or range(len(texts))
        curves = []
        for place in (place for place in places if len(columns[place]) > 1):
            if any(isinstance(value, str) for value in columns[place]):
                if not names:
                    continue
                raise ValueError(f"optim.Logger.plot: {texts[place]!r} has texts, which cannot be plotted")
            styles = [parse_style(style) for style in at(self.styles, keys[place])]
            if styles:  # a symbol without any is not drawn
                curves.append(Curve(texts[place], place, np.array(columns[place], float), styles))
        return curves

    def _can_plot(self) -> bool:
        try:
            optional("matplotlib", "plot", "optim.Logger.plot")
        except ImportError as error:
            if not self.warned:
                print(f"<Logger> warning: cannot plot: {error}")
            self.warned = True
            return False
        return True
