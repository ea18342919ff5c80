"""The pictures that optim.Logger draws, and the files that they go to."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

import optim
from optim import pictures, plotting
from optim.plot_styles import parse_style
from optim.plotting import Curve, Plot, smooth

from .test_logger import folder  # noqa: F401  (a fixture for all tests here)

NAN, INF = float("nan"), float("inf")
SIGNATURES = {"eps": b"%!PS-Adobe-3.0 EPSF", "png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(autouse=True)
def silent(caplog: pytest.LogCaptureFixture) -> Any:
    """matplotlib says through the logging module what a format cannot do, such as transparency in eps."""
    caplog.set_level(logging.WARNING)
    yield
    assert not caplog.records


def logger(columns: dict[str, list[Any]], **styles: Any) -> optim.Logger:
    logger = optim.Logger("a.log")
    for row in zip(*columns.values()):
        logger.add(dict(zip(columns, row)))
    logger.display(False)
    return logger.style(styles)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The axes of each picture that was drawn, the newest last."""
    found: list[Any] = []
    draw = Plot.draw

    def spy(plot: Plot, figure: Any) -> None:
        draw(plot, figure)
        found.extend(figure.axes)

    monkeypatch.setattr(Plot, "draw", spy)
    return found


def legend(axes: Any) -> list[str]:
    return [text.get_text() for legend in axes.figure.legends for text in legend.get_texts()]


# -- files


def test_a_plot_writes_torchs_file() -> None:
    logger({"a": [1, 2, 3]}).plot()
    assert Path("a.log.eps").read_bytes().startswith(SIGNATURES["eps"])


@pytest.mark.parametrize("suffix", ["eps", "png", "svg", "pdf", "PNG"])
def test_the_suffix_decides(suffix: str) -> None:
    plotted = logger({"a": [1, 2, 3]})
    plotted.epsfile = f"b.{suffix}"
    plotted.plot()
    plotted.plot(file=Path(f"c.{suffix}"))
    assert {path.name for path in Path().iterdir()} == {"a.log", f"b.{suffix}", f"c.{suffix}"}
    for name in "bc":
        assert Path(f"{name}.{suffix}").read_bytes().startswith(SIGNATURES[suffix.lower()])


@pytest.mark.parametrize("name", ["picture", "picture.xyz", ".png"])
def test_an_unknown_suffix(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"to end in one of .*\.eps, .*\.pdf, .*\.png, .*\.svg.*, got {re.escape(name)}"
    ):
        logger({"a": [1, 2, 3]}).plot(file=name)
    assert {path.name for path in Path().iterdir()} == {"a.log"}


@pytest.mark.parametrize("nothing", [None, False])
def test_no_file(nothing: Any) -> None:
    plotted = logger({"a": [1, 2, 3]})
    plotted.epsfile = plotted.plotRawCmd = nothing
    plotted.plot()
    assert {path.name for path in Path().iterdir()} == {"a.log"}


def test_a_failure_leaves_the_old_picture() -> None:
    def fail(axes: Any) -> None:
        raise RuntimeError("no")

    plotted = logger({"a": [1, 2, 3]})
    plotted.plot()
    old = Path("a.log.eps").read_bytes()
    plotted.plotRawCmd = fail
    with pytest.raises(RuntimeError, match="no"):
        plotted.plot()
    assert Path("a.log.eps").read_bytes() == old


def test_pyplot_is_left_alone() -> None:
    import subprocess

    code = (
        "import optim, sys; logger = optim.Logger('a.log'); logger.add([1]); logger.add([2]); logger.display(False); "
        "logger.plot(); print('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("False\n", "")


def test_a_closed_or_read_logger_plots() -> None:
    closed = logger({"a": [1, 2, 3]})
    closed.close()
    closed.plot()
    Path("a.log.eps").unlink()
    again = optim.Logger.from_file("a.log")
    again.display(False)
    again.plot("a")
    assert Path("a.log.eps").exists()
    assert Path("a.log").read_text() == "a\t\n 1.0000e+00\t\n 2.0000e+00\t\n 3.0000e+00\t\n"


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plotted = logger({"a": [1, 2, 3]})
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    plotted.plot()
    plotted.plot()
    out = capsys.readouterr().out
    assert out.count("<Logger> warning: cannot plot: optim.Logger.plot needs the package matplotlib: pip install") == 1
    assert not Path("a.log.eps").exists()


# -- what is plotted


def test_all_symbols_with_their_names(drawn: list[Any]) -> None:
    logger({"a": [1, 2, 4], "b": [3, 2, 1]}, a="-").plot()
    (axes,) = drawn
    first, second = axes.lines
    assert (first.get_xdata().tolist(), first.get_ydata().tolist()) == ([1, 2, 3], [1, 2, 4])
    assert second.get_ydata().tolist() == [3, 2, 1]
    assert (first.get_linestyle(), first.get_marker(), second.get_linestyle(), second.get_marker()) == (
        *("-", "None", "None", "+"),
    )
    assert first.get_color() != second.get_color()
    assert (axes.get_title(), legend(axes), axes.get_yscale()) == ("<Logger::a.log>", ["a", "b"], "linear")
    assert all(line.get_visible() for line in axes.get_xgridlines() + axes.get_ygridlines())


def test_some_symbols_in_the_order_asked_for(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    plotted.plot()
    plotted.plot("c", "a")
    everything, some = drawn
    assert [line.get_ydata().tolist() for line in some.lines] == [[5, 6], [1, 2]]
    assert legend(some) == ["c", "a"]
    assert [line.get_color() for line in some.lines] == [everything.lines[i].get_color() for i in (2, 0)]


def test_symbols_by_position(drawn: list[Any]) -> None:
    unnamed = optim.Logger("a.log")
    unnamed.display(False)
    unnamed.add([1, 2])
    unnamed.add([3, 4])
    unnamed.plot(2)
    assert (drawn[0].lines[0].get_ydata().tolist(), legend(drawn[0])) == ([2, 4], ["2"])


@pytest.mark.parametrize("rows", [0, 1])
def test_lists_of_less_than_two_values_are_not_plotted(drawn: list[Any], rows: int) -> None:
    plotted = optim.Logger("a.log").setNames(["a"])
    for _ in range(rows):
        plotted.add([1])
    plotted.plot()
    plotted.plot("a")
    assert not drawn
    assert not Path("a.log.eps").exists()


def test_an_unknown_symbol() -> None:
    with pytest.raises(ValueError, match=r"optim.Logger.plot: unknown symbol 'b'; expected one of \['a'\]"):
        logger({"a": [1, 2]}).plot("b")
    with pytest.raises(ValueError, match=r"unknown symbol 'b'; expected one of none yet"):
        optim.Logger("b.log").plot("b")


def test_texts_are_not_plotted(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2], "what": [1, "x"]})
    with pytest.raises(ValueError, match=r"optim.Logger.plot: 'what' has texts, which cannot be plotted"):
        plotted.plot("a", "what")
    plotted.plot("a")
    plotted.plot()
    assert [legend(axes) for axes in drawn] == [["a"], ["a"]]


def test_the_logarithmic_axis(drawn: list[Any]) -> None:
    plotted = logger({"a": [100, 1, 0.2, -1, 0, NAN, INF]}, a="-")
    plotted.setlogscale(True)
    plotted.plot(file="a.png")
    (axes,) = drawn
    assert axes.get_yscale() == "log"
    assert np.isnan(axes.lines[0].get_ydata()[3:]).all()
    assert {"0.1", "1", "10", "100"} <= {label.get_text() for label in axes.get_yticklabels()}
    plotted.setlogscale(False)
    plotted.plot()
    assert drawn[1].get_yscale() == "linear"


@pytest.mark.parametrize("style", ["+", "-", "~", "|", "with steps"])
@pytest.mark.parametrize(
    "values", [[-1, 0, -3], [NAN, NAN], [INF, -INF], [NAN, 1.0, NAN], [0, 1e-300, 1e300], [1e-149, -1e149, 1e149]]
)
@pytest.mark.parametrize("isLog", [False, True])
def test_values_that_are_hard_to_show(style: str, values: list[float], isLog: bool) -> None:
    plotted = logger({"a": values, "b": [1] * len(values)}, a=style)
    plotted.setlogscale(isLog)
    plotted.plot("a", file="a.png")
    plotted.plot(file="a.png")


CHINESE = "\u8bad\u7ec3\u8bef\u5dee\u548c\u9a8c\u8bc1\u8bef\u5dee"
NAMES = ["$x", "$\\foo$ _", "_hidden", "a_b^c", "<&>", "% mean", " ", "", "é"]


@pytest.mark.parametrize("suffix", ["eps", "svg"])
def test_names_are_shown_as_they_are(drawn: list[Any], suffix: str) -> None:
    plotted = logger({name: [1, 2] for name in NAMES})
    plotted.name = "$\\bar$"
    plotted.plot(file=f"a.{suffix}")
    assert legend(drawn[0]) == NAMES
    assert drawn[0].get_title() == "<Logger::$\\bar$>"


def test_dashes_begin_where_colours_are_used_up(drawn: list[Any]) -> None:
    names = [f"n{i}" for i in range(25)]
    logger({name: [1, 2] for name in names}, **dict.fromkeys(names, "-")).plot(file="a.png")
    (axes,) = drawn
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 25
    assert legend(axes) == names


def test_names_are_no_tex(drawn: list[Any]) -> None:
    with matplotlib.rc_context({"text.usetex": True}):
        logger({"% mean": [1, 2]}).plot(file="a.svg")
    assert not drawn[0].title.get_usetex()
    assert not drawn[0].figure.legends[0].get_texts()[0].get_usetex()


@pytest.mark.parametrize("suffix", ["eps", "pdf", "png", "svg"])
def test_names_in_chinese(drawn: list[Any], suffix: str) -> None:
    """Warnings would be errors here: of letters that the first font does not have."""
    plotted = logger({CHINESE: [1, 2]})
    plotted.plotRawCmd = f"set xlabel '{CHINESE}'"
    plotted.plot(file=f"a.{suffix}")
    (text,) = drawn[0].figure.legends[0].get_texts()
    assert text.get_fontfamily() == drawn[0].xaxis.label.get_fontfamily() == pictures.fonts()


@pytest.mark.parametrize("count", [1, 60, 200])
@pytest.mark.parametrize("isWindow", [False, True])
@pytest.mark.parametrize("name", ["a symbol", CHINESE])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_the_legend_leaves_room_for_the_plot(count: int, isWindow: bool, name: str) -> None:
    from matplotlib.figure import Figure

    style = [parse_style("-")]
    plot = Plot("t", [Curve(f"{name} {i}", i, np.arange(3.0), style) for i in range(count)], False, [])
    figure = plot.figure()
    if isWindow:
        figure = Figure(figsize=(plotting.WIDTH, plotting.HEIGHT))
        plot.draw(figure)
    figure.draw_without_rendering()
    (axes,), box = figure.axes, figure.legends[0].get_window_extent()
    assert axes.get_position().height * figure.get_figheight() > 1
    assert box.x0 > -20
    assert box.x1 < figure.bbox.x1 + 20
    assert box.y1 < axes.get_window_extent().y0


# -- styles


def only(style: Any, drawn: list[Any], values: list[float] | None = None) -> Any:
    logger({"a": [1, 3, 2] if values is None else values}, a=style).plot(file="a.png")
    return drawn[-1]


def test_boxes(drawn: list[Any]) -> None:
    boxes = only("|", drawn).patches
    assert [(box.get_x(), box.get_width(), box.get_y(), box.get_height()) for box in boxes] == [
        *((0.5, 1, 0, 1), (1.5, 1, 0, 3), (2.5, 1, 0, 2)),
    ]


def test_impulses_and_steps(drawn: list[Any]) -> None:
    (lines,) = only("with impulses", drawn).collections
    assert [segment.tolist() for segment in lines.get_segments()] == [
        [[i, 0], [i, y]] for i, y in enumerate([1, 3, 2], 1)
    ]
    assert only("with steps", drawn).lines[0].get_drawstyle() == "steps-post"


def test_several_styles_of_one_symbol(drawn: list[Any]) -> None:
    axes = only(["+", "~"], drawn)
    points, curve = axes.lines
    assert (points.get_marker(), len(points.get_xdata()), curve.get_marker()) == ("+", 3, "None")
    assert len(curve.get_xdata()) > 100
    assert points.get_color() == curve.get_color()
    assert legend(axes) == ["a"]


def test_a_symbol_without_styles_is_not_drawn(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2], "b": [3, 4]}, a=[])
    plotted.plot()
    plotted.plot("a")
    assert [legend(axes) for axes in drawn] == [["b"]]


def test_options_of_gnuplot_and_matplotlib(drawn: list[Any]) -> None:
    (line,) = only("with lp lw 3 pt 6 ps 2 lc rgb 'dark-green'", drawn).lines
    assert (line.get_linewidth(), line.get_marker(), line.get_color()) == (3, "o", "darkgreen")
    assert line.get_markerfacecolor() == "none"
    assert line.get_markersize() == 2 * only("+-", drawn).lines[0].get_markersize()
    (line,) = only("r--s", drawn).lines
    assert (line.get_linestyle(), line.get_marker(), line.get_color()) == ("--", "s", "r")
    colors = [only(f"with lines lt {i}", drawn).lines[0].get_color() for i in (1, 2, 12)]
    assert colors[0] != colors[1] == colors[2]


def test_an_unknown_colour() -> None:
    with pytest.raises(ValueError, match=r"optim.Logger: unknown colour 'redd'; expected one that matplotlib knows"):
        logger({"a": [1, 2]}, a="with lines lc rgb 'redd'").plot()


def test_smooth_goes_through_all_points(drawn: list[Any]) -> None:
    (line,) = only("~", drawn, [1, 3, 2, 5, 4]).lines
    x, y = line.get_xdata(), line.get_ydata()
    assert np.interp([1, 2, 3, 4, 5], x, y) == pytest.approx([1, 3, 2, 5, 4], abs=1e-3)


def test_smooth_is_the_natural_cubic_spline() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.uniform(0.5, 2, 20))
    y = rng.normal(size=20)
    at, values = smooth(x, y, 301)
    expected = interpolate.CubicSpline(x, y, bc_type="natural")(at)
    np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-11)


def test_smooth_skips_what_is_no_number_and_stays_positive(drawn: list[Any]) -> None:
    plotted = logger({"a": [1.0, NAN, 1e-6, INF, -1, 1, 1e-6, 1]}, a="~")
    plotted.setlogscale(True)
    plotted.plot(file="a.png")
    y = drawn[0].lines[0].get_ydata()
    assert np.isfinite(y).all()
    assert (y > 0).all()


def test_many_points(drawn: list[Any]) -> None:
    values = np.random.default_rng(0).normal(size=50000)
    styles = [parse_style(style) for style in (".", "+", "-", "+-", "~", "|", "with steps")]
    plot = Plot("t", [Curve(str(i), i, values, [style]) for i, style in enumerate(styles)], False, [])
    plot.save("a.svg")
    assert Path("a.svg").stat().st_size < 10_000_000
    dots, points, *_ = drawn[0].lines
    assert (dots.get_marker(), points.get_marker()) == (".", ".")
    assert (dots.get_markersize(), dots.get_rasterized()) == (1.5, True)
    (shown,) = {len(line.get_ydata()) for line in drawn[0].lines}
    assert shown == 50000


# -- plotRawCmd


def test_commands(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2, 3]})
    plotted.plotRawCmd = "set xlabel 'epoch'; set ylabel 'loss'; set title 'T'; set xrange [0:9]; set yrange [*:7]"
    plotted.plot(file="a.png")
    (axes,) = drawn
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epoch", "loss", "T")
    assert (axes.get_xlim(), axes.get_ylim()[1]) == ((0, 9), 7)


def test_the_place_of_the_legend(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2, 3]})
    for command, inside, below in (("set key top left", ["a"], []), ("unset key", None, []), ("set key", None, ["a"])):
        plotted.plotRawCmd = command
        plotted.plot(file="a.png")
        box = drawn[-1].get_legend()
        assert (box and [text.get_text() for text in box.get_texts()], legend(drawn[-1])) == (inside, below)


def test_grid_and_scales(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2, 3]})
    plotted.plotRawCmd = "unset grid; set logscale"
    plotted.plot(file="a.png")
    (axes,) = drawn
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert not any(line.get_visible() for line in axes.get_xgridlines())
    plotted.setlogscale(True)
    plotted.plotRawCmd = "unset logscale y"
    plotted.plot(file="a.png")
    assert drawn[1].get_yscale() == "linear"


def test_a_function_gets_the_axes(drawn: list[Any]) -> None:
    plotted = logger({"a": [1, 2, 3]})
    plotted.plotRawCmd = lambda axes: axes.set(xlabel="mine") and axes.legend(["L"])
    plotted.plot(file="a.png")
    (axes,) = drawn
    assert (axes.get_xlabel(), legend(axes), axes.get_legend() is None) == ("mine", [], False)


@pytest.mark.parametrize(("raw", "error"), [("plot x", ValueError), (3, TypeError)])
def test_unknown_commands(raw: Any, error: type[Exception]) -> None:
    plotted = logger({"a": [1, 2, 3]})
    plotted.plotRawCmd = raw
    with pytest.raises(error, match="plotRawCmd"):
        plotted.plot()
