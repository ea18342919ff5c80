"""The styles and gnuplot commands that optim.Logger's plots understand."""

from __future__ import annotations

import re
from typing import Any

import pytest

import optim
import torch7
from optim.plot_styles import TORCH, Style, parse_commands, parse_style

from .test_logger import folder  # noqa: F401  (a fixture for all tests here)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        (".", Style(marker=".")),
        ("+", Style(marker="+")),
        ("-", Style("-")),
        ("+-", Style("-", "+")),
        ("~", Style("-", shape="smooth")),
        ("|", Style("-", shape="boxes")),
        # matplotlib's
        ("--", Style("--")),
        ("-.", Style("-.")),
        ("r", Style("-", color="r")),
        ("r--o", Style("--", "o", color="r")),
        ("o:C3", Style(":", "o", color="C3")),
        ("C10s", Style("", "s", color="C10")),
        ("k.-", Style("-", ".", color="k")),
        (".-", Style("-", ".")),
        ("x", Style("", "x")),
        # gnuplot's
        ("with lines", Style("-")),
        ("lines", Style("-")),
        ("w l", Style("-")),
        ("wi lin", Style("-")),
        ("with points", Style(marker="+")),
        ("with linespoints", Style("-", "+")),
        ("with lp", Style("-", "+")),
        ("with dots", Style(marker=".")),
        ("with boxes", Style("-", shape="boxes")),
        ("with impulses", Style("-", shape="impulses")),
        ("with steps", Style("-", shape="steps")),
        ("smooth csplines", Style("-", shape="smooth")),
        ("with lines lw 2.5", Style("-", width=2.5)),
        ("with lines linewidth .5 dashtype 2", Style("--", width=0.5)),
        ('with lines dt "."', Style(":")),
        ("with lines lt 3", Style("-", color=3)),
        ("with lines lc 2", Style("-", color=2)),
        ("with lines lc rgb 'red'", Style("-", color="red")),
        ('with lines linecolor rgbcolor "#FF8000"', Style("-", color="#FF8000")),
        ("with lines lc 'dark-green'", Style("-", color="darkgreen")),
        ("with points pt 2", Style(marker="x")),
        ("with points pt 6 ps 1.5", Style(marker="o", hollow=True, size=1.5)),
        ("with lp pointtype 7 pointsize 2 lc rgb 'b'", Style("-", "o", color="b", size=2.0)),
        # gnuplot's lines have no points and its points no dashes
        ("with lines pt 7", Style("-")),
        ("with points dt 2", Style(marker="+")),
    ],
)
def test_styles(text: str, style: Style) -> None:
    assert parse_style(text) == style


UNKNOWN = [
    *("", " ", "foo", "red", "--r--", "oo", "rb", "++", "~0.5", "with", "smooth", "with circles", "with lines lw"),
    *(
        "with lines lw two",
        "with lines lw -1",
        "with lines lt 0",
        "with points pt 0",
        "with points pt 14",
        "with 'lines",
    ),
    *("with points pt x", "with lines title 'x'", "with lines lc rgb", "with lines lc rgb '#12'", "with lines dt 9"),
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_unknown_styles(text: str) -> None:
    message = rf"optim.Logger: unknown style {re.escape(repr(text))}.*; expected one of \. \+ - \+- ~ \|, matplotlib's"
    with pytest.raises(ValueError, match=message):
        parse_style(text)


def test_an_error_names_the_part_that_is_unknown() -> None:
    with pytest.raises(ValueError, match=r"'with lines title x lw 2' \('title x' is not known\); expected"):
        parse_style("with lines title x lw 2")


# -- Logger.style


def logger() -> optim.Logger:
    return optim.Logger("a.log").setNames(["a", "b"])


@pytest.mark.parametrize(
    ("given", "styles"),
    [
        (["-", "~"], [["-"], ["~"]]),
        (["-"], [["-"], ["+"]]),
        ({"b": "-"}, [["+"], ["-"]]),
        ({2: "-"}, [["+"], ["-"]]),
        (torch7.Table(a="-"), [["-"], ["+"]]),
        ([["-", "+"], ("|",)], [["-", "+"], ["|"]]),
        ([], [["+"], ["+"]]),
    ],
)
def test_which_symbols_get_a_style(given: Any, styles: Any) -> None:
    assert logger().style(given).styles == styles
    # also if the names come later
    assert optim.Logger("b.log").style(given).setNames(["a", "b"]).styles == styles


def test_styles_of_symbols_by_name() -> None:
    logger = optim.Logger("a.log")
    logger.add({"a": 1, "b": 2})
    assert logger.style({"b": "-"}).styles == {"a": ["+"], "b": ["-"]}
    assert logger.style(["~"]).styles == {"a": ["~"], "b": ["-"]}


def test_the_default_style() -> None:
    logger = optim.Logger("a.log")
    logger.defaultStyle = "~"
    logger.add([1])
    assert logger.styles == [["~"]]


def test_styles_stay_what_they_were() -> None:
    first = logger()
    styles = first.styles
    first.style({"a": "-"})
    assert (styles, first.styles) == ([["+"], ["+"]], [["-"], ["+"]])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("-", TypeError, "optim.Logger.style: expected a list or a mapping of styles, got '-'"),
        (None, TypeError, "expected a list or a mapping of styles, got None"),
        ([3], TypeError, "optim.Logger.style: style should be a string or a list of strings, got 3"),
        ([["-", 3]], TypeError, "style should be a string or a list of strings, got a list of length 2"),
        (["-", "-", "-"], ValueError, "optim.Logger.style: expected at most 2 styles, got 3"),
        ({"c": "-"}, ValueError, "optim.Logger.style: unknown symbol 'c'; expected one of ['a', 'b']"),
        ({3: "-"}, ValueError, "optim.Logger.style: unknown symbol 3"),
        (["-", "with circles"], ValueError, "optim.Logger: unknown style 'with circles'"),
    ],
)
def test_refused_styles(given: Any, error: type[Exception], message: str) -> None:
    refusing = logger()
    with pytest.raises(error, match=re.escape(message)):
        refusing.style(given)
    assert refusing.styles == [["+"], ["+"]]


def test_an_early_style_of_an_unknown_symbol() -> None:
    early = optim.Logger("a.log").style({"loss": "-"})
    with pytest.raises(ValueError, match=r"style: unknown symbol 'loss'; expected one of \['a'\]"):
        early.add({"a": 1})
    assert (early.empty, early.symbols) == (True, [])
    early.add({"loss": 1})
    assert early.styles == {"loss": ["-"]}


# -- plotRawCmd


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("", []),
        (" ;\n; ", []),
        ("set xlabel 'epoch'", [("xlabel", "epoch")]),
        ('set ylabel "loss; or\nerror"; set title "it\'s"', [("ylabel", "loss; or\nerror"), ("title", "it's")]),
        ("set xrange [0:10]\nset yrange [1e-3 : 1.5]", [("xrange", (0.0, 10.0)), ("yrange", (0.001, 1.5))]),
        ("set xrange [:-.5]; set yrange [*:]", [("xrange", (None, -0.5)), ("yrange", (None, None))]),
        ("set key off; unset key", [("key", None), ("key", None)]),
        ("set key; set key below; set key outside", [("key", "below")] * 3),
        ("set key top left", [("key", "upper left")]),
        ("set key right bottom", [("key", "lower right")]),
        ("set key bottom", [("key", "lower right")]),
        ("set key center top", [("key", "upper center")]),
        ("set grid; unset grid", [("grid", True), ("grid", False)]),
        ("unset title; unset xlabel", [("title", ""), ("xlabel", "")]),
        ("set logscale y; unset logscale y", [("logscale", {"y": True}), ("logscale", {"y": False})]),
        ("set log x; set logscale", [("logscale", {"x": True}), ("logscale", {"x": True, "y": True})]),
    ],
)
def test_commands(text: str, commands: Any) -> None:
    assert parse_commands(text) == commands


@pytest.mark.parametrize(
    "text",
    [
        *("plot sin(x)", "set", "set xlabel", "set xlabel a b", "set xrange 3", "set xrange [a:b]", "set ylabel 'open"),
        *(
            "set key top bottom",
            "set key middle",
            "set logscale z",
            "unset xlabel 3",
            "unset arrow",
            "set grid x",
            "grid",
        ),
        *("set terminal png", "unset logscale z", "show title now"),
    ],
)
def test_unknown_commands(text: str) -> None:
    with pytest.raises(ValueError, match=r"optim.Logger: plotRawCmd has .*, expected gnuplot's set or unset of xlabel"):
        parse_commands(f"set title 'x'; {text}")


def test_other_commands() -> None:
    assert parse_commands(None) == []
    assert parse_commands(print) is print
    with pytest.raises(TypeError, match="expected plotRawCmd to be a string or a function, got 3"):
        parse_commands(3)


def test_every_style_of_torch_is_written_as_in_its_manual() -> None:
    assert list(TORCH) == [".", "+", "-", "+-", "~", "|"]
