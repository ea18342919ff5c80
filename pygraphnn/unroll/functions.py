"""Elementwise functions: how numpy computes them, how compiled code does, and their derivatives.

A function takes operands, and for some a constant. Derivatives are functions themselves: `backward` enters them among
the lanes and gives the lane of each operand's gradient. The gradient of y is g.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nn.kernels.elementary import at_least
from nn.kernels.masks import kept, room

Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Function(NamedTuple):
    """numpy(out, spare, constant, *operands) gives the calls; out may be an operand, spare is scratch like it."""

    numpy: Callable[..., list[Call]]
    text: str  # of compiled code, {0} and {1} the operands, {c} the constant; empty where only numpy can
    backward: Callable[..., list[int | None]] | None = None  # (lanes, lane y, operands, g, constant)
    cheap: bool = True  # rather computed again in backward than kept


def _binary(ufunc: np.ufunc) -> Callable[..., list[Call]]:
    return lambda out, spare, c, a, b: [(ufunc, (a, b, out))]


def _unary(ufunc: np.ufunc) -> Callable[..., list[Call]]:
    return lambda out, spare, c, a: [(ufunc, (a, out))]


def _constant(ufunc: np.ufunc) -> Callable[..., list[Call]]:
    return lambda out, spare, c, a: [(ufunc, (a, out.dtype.type(c), out))]


def _sigmoid(out: Any, spare: Any, c: Any, x: Any) -> list[Call]:
    zero, one = out.dtype.type(0), out.dtype.type(1)
    # not np.negative: where a column is 16 or 64 bytes from the next row's, numpy 2.4 takes the wrong numbers
    return [(np.subtract, (zero, x, out)), (np.exp, (out, out)), (np.add, (out, one, out)), (np.reciprocal, (out, out))]


def _sigmoid_slope(out: Any, spare: Any, c: Any, g: Any, y: Any) -> list[Call]:
    one = out.dtype.type(1)
    return [(np.subtract, (one, y, spare)), (np.multiply, (spare, y, spare)), (np.multiply, (spare, g, out))]


def _tanh_slope(out: Any, spare: Any, c: Any, g: Any, y: Any) -> list[Call]:
    one = out.dtype.type(1)
    return [(np.multiply, (y, y, spare)), (np.subtract, (one, spare, spare)), (np.multiply, (spare, g, out))]


def _relu_slope(out: Any, spare: Any, c: Any, g: Any, y: Any) -> list[Call]:
    return [(_passed, (g, y, np.greater, out))]


def _rectified_slope(out: Any, spare: Any, c: Any, g: Any, y: Any) -> list[Call]:
    return [(_passed, (g, y, _not_stopped, out))]


def _passed(g: np.ndarray, y: np.ndarray, passes: Any, out: np.ndarray) -> None:
    """out = g where passes(y, 0), else 0, whatever g is there."""
    kept(g, passes(y, 0, out=room(y)), out)


def _not_stopped(y: np.ndarray, limit: float, out: np.ndarray) -> np.ndarray:
    return np.logical_not(np.less_equal(y, limit, out=out), out=out)


FUNCTIONS: dict[str, Function] = {
    "copy": Function(lambda out, spare, c, a: [(np.copyto, (out, a))], "{0}", lambda L, y, a, g, c: [g]),
    "add": Function(_binary(np.add), "{0} + {1}", lambda L, y, a, g, c: [g, g]),
    "sub": Function(_binary(np.subtract), "{0} - {1}", lambda L, y, a, g, c: [g, L.get("scale", (g,), -1.0)]),
    "mul": Function(
        _binary(np.multiply),
        "{0} * {1}",
        lambda L, y, a, g, c: [L.get("mul", (g, L.kept(a[1]))), L.get("mul", (g, L.kept(a[0])))],
    ),
    "div": Function(
        _binary(np.divide),
        "{0} / {1}",
        lambda L, y, a, g, c: [
            q := L.get("div", (g, L.kept(a[1]))),
            L.get("scale", (L.get("mul", (q, L.kept(y))),), -1.0),
        ],
        cheap=False,
    ),
    "scale": Function(_constant(np.multiply), "{0} * {c}", lambda L, y, a, g, c: [L.get("scale", (g,), c)]),
    "shift": Function(_constant(np.add), "{0} + {c}", lambda L, y, a, g, c: [g]),
    "square": Function(
        _unary(np.square),
        "{0} * {0}",
        lambda L, y, a, g, c: [L.get("scale", (L.get("mul", (g, L.kept(a[0]))),), 2.0)],
    ),
    "relu": Function(
        lambda out, spare, c, a: [(np.fmax, (a, out.dtype.type(0), out))],
        "({0} if {0} > zero else zero)",
        lambda L, y, a, g, c: [L.get("relu'", (g, L.kept(y)))],
    ),
    "relu'": Function(_relu_slope, "({0} if {1} > zero else zero)"),
    # what a rectifier does in place, where nan stays nan
    "rectified": Function(
        lambda out, spare, c, a: [(at_least, (a, 0, True, out))],
        "(zero if {0} <= zero else {0})",
        lambda L, y, a, g, c: [L.get("rectified'", (g, L.kept(y)))],
    ),
    "rectified'": Function(_rectified_slope, "(zero if {1} <= zero else {0})"),
    "sigmoid": Function(
        _sigmoid, "sigmoid({0})", lambda L, y, a, g, c: [L.get("sigmoid'", (g, L.kept(y)))], cheap=False
    ),
    "sigmoid'": Function(_sigmoid_slope, "{0} * (one - {1}) * {1}"),
    "tanh": Function(_unary(np.tanh), "tanh({0})", lambda L, y, a, g, c: [L.get("tanh'", (g, L.kept(y)))], cheap=False),
    "tanh'": Function(_tanh_slope, "{0} * (one - {1} * {1})"),
    # any function of nn that writes `function` and `derivative`; the constant is the module
    "pointwise": Function(
        lambda out, spare, c, a: [(c.function, (a, out))],
        "",
        lambda L, y, a, g, c: [
            L.get("pointwise'", (g, L.kept(a[0]), L.kept(y if c.USES_OUTPUT else a[0])), c),
        ],
        cheap=False,
    ),
    "pointwise'": Function(lambda out, spare, c, g, x, y: [(c.derivative, (x, y, g, out))], ""),
    "zero": Function(lambda out, spare, c: [(np.copyto, (out, out.dtype.type(0)))], "zero"),
}
