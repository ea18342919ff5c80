"""Runs recorded cases of torch/nn against this nn: what does the real Torch7 give, what does ours?

A case names the module by a Python expression, the seed, and what to call on it; `run_case` returns the differences.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nn
import torch7

from .golden import decode
from .nested import copied

Case = dict[str, Any]

NAMES = {"nn": nn, "np": np, "torch7": torch7, "math": math}
REFUSALS = (TypeError, ValueError, IndexError, KeyError, RuntimeError)  # how bad input may be answered


def classes_named(case: Case) -> set[str]:
    """The names after `nn.` in the text of a case."""
    return set(re.findall(r"\bnn\.([A-Za-z_]\w*)", case["py"]))


def run_case(case: Case) -> list[str]:
    """How our results differ from the recorded ones; empty when they agree."""
    runner = refuse if "torch_error" in case else RUNNERS[case["kind"]]
    comparison = Comparison(case.get("tol", 0), case.get("rtol", 0))
    with default_type_kept():
        runner(case, comparison)
    return comparison.differences


@contextlib.contextmanager
def default_type_kept() -> Iterator[None]:
    """Sets the default tensor type back at the end."""
    kept = torch7.getdefaulttensortype()
    try:
        yield
    finally:
        torch7.setdefaulttensortype(kept)


def follow(obj: Any, path: str) -> Any:
    """The value at a dotted path of attributes, keys and positions counted from 1: `running.keys.1`."""
    for part in path.split("."):
        if part.isdigit():
            obj = obj[int(part) - 1]
        else:
            obj = obj[part] if isinstance(obj, dict) else getattr(obj, part)
    return obj


@dataclass
class Comparison:
    """Collects where values are further apart than tol + rtol * |wanted|."""

    tol: float
    rtol: float
    differences: list[str] = field(default_factory=list)

    def same(self, got: Any, want: Any, where: str) -> None:
        """Compares a value with a recorded one (still encoded)."""
        if isinstance(want, dict) and "table" in want:
            self.same_list(got, want["table"], where)
        elif isinstance(want, dict) and "dict" in want:
            for key, value in want["dict"].items():
                self.same(got[key], value, f"{where}.{key}")
        elif isinstance(want, dict):
            self.same_array(got, want, where)
        else:
            self.same_scalar(got, decode(want), where)

    def same_list(self, got: Any, want: list[Any], where: str) -> None:
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            self.differences.append(f"{where}: expected a list of {len(want)}, got {got!r:.80}")
            return
        for i, (g, w) in enumerate(zip(got, want)):
            self.same(g, w, f"{where}[{i}]")

    def same_array(self, got: Any, want: Case, where: str) -> None:
        expected = decode(want)
        if not want["shape"]:  # Torch's empty tensor
            if got is not None and np.size(got) != 0:
                self.differences.append(f"{where}: expected an empty tensor, got {got!r:.80}")
        elif not isinstance(got, np.ndarray) or got.shape != expected.shape or got.dtype != expected.dtype:
            described = f"{got.dtype} {got.shape}" if isinstance(got, np.ndarray) else f"{got!r:.80}"
            self.differences.append(f"{where}: expected {expected.dtype} {expected.shape}, got {described}")
        else:
            close = np.isclose(got.astype(float), expected.astype(float), self.rtol, self.tol, equal_nan=True)
            if not close.all():
                g, w = got[~close][0], expected[~close][0]
                self.differences.append(f"{where}: {(~close).sum()} of {close.size} values differ: {g!r}, not {w!r}")

    def same_scalar(self, got: Any, want: Any, where: str) -> None:
        if want is None or isinstance(want, (bool, str)):
            same = got is want or (got == want and type(got) is type(want))
        else:
            number = isinstance(got, (int, float, np.number)) and not isinstance(got, bool)
            same = number and bool(np.isclose(got, want, self.rtol, self.tol, equal_nan=True))
        if not same:
            self.differences.append(f"{where}: {type(got).__name__} {got!r:.80}, expected {want!r}")


def construct(case: Case) -> Any:
    """The module or criterion of a case, ready for use."""
    if case.get("default_type") == "float":
        torch7.setdefaulttensortype("torch.FloatTensor")
    torch7.manualSeed(case["seed"])
    made = eval(case["py"], dict(NAMES))
    for name, value in case.get("set", {}).items():
        setattr(made, name, decode(value))
    for name, args in case.get("calls", []):
        getattr(made, name)(*map(decode, args))
    if case.get("type") == "float" and case.get("default_type") != "float":
        made.float()
    if case["kind"] == "module":
        made.evaluate() if case.get("mode") == "evaluate" else made.training()
    return made


def seeded(case: Case, key: str) -> None:
    """Seeds the generator, if the case does so at this point."""
    if key in case:
        torch7.manualSeed(case[key])


def run_module(case: Case, comparison: Comparison) -> None:
    module = construct(case)
    if case["params_init"] or case.get("gradParams", True):
        comparison.same_list(module.parameters()[0], case["params_init"], "params_init")
    module.zeroGradParameters()
    x, extra = decode(case["input"]), dict(case.get("extra", {}))
    first_pass(case, comparison, module, x, extra)
    for path, want in extra.items():
        comparison.same(follow(module, path), want, f"extra.{path}")
    if "input2" in case:
        second_pass(case, comparison, module)
    elif "gradParams_acc" in case:
        module.forward(decode(case["input"]))
        module.backward(decode(case["input"]), decode(case["gradOutput"]), 0.5)
        comparison.same_list(module.parameters()[1], case["gradParams_acc"], "gradParams_acc")


def first_pass(case: Case, comparison: Comparison, module: Any, x: Any, extra: Case) -> None:
    """Forward and backward; takes what is said about the input itself out of `extra`."""
    seeded(case, "forward_seed")
    comparison.same(copied(module.forward(x)), case["output"], "output")
    if "input_after_forward" in extra:
        comparison.same(x, extra.pop("input_after_forward"), "input_after_forward")
    if "gradOutput" in case:
        seeded(case, "backward_seed")
        gradInput = copied(module.backward(x, decode(case["gradOutput"]), case.get("scale", 1)))
        if "gradInput" in case:
            comparison.same(gradInput, case["gradInput"], "gradInput")
        if case["gradParams"]:
            comparison.same_list(module.parameters()[1], case["gradParams"], "gradParams")
    if "input_after_backward" in extra:
        comparison.same(x, extra.pop("input_after_backward"), "input_after_backward")


def second_pass(case: Case, comparison: Comparison, module: Any) -> None:
    """Another input through the same object."""
    x = decode(case["input2"])
    seeded(case, "forward_seed2")
    comparison.same(copied(module.forward(x)), case["output2"], "output2")
    if "gradOutput2" not in case:
        return
    module.zeroGradParameters()
    gradInput = copied(module.backward(x, decode(case["gradOutput2"]), 1))
    if "gradInput2" in case:
        comparison.same(gradInput, case["gradInput2"], "gradInput2")
    if "gradParams2" in case:
        comparison.same_list(module.parameters()[1], case["gradParams2"], "gradParams2")


def run_criterion(case: Case, comparison: Comparison) -> None:
    criterion = construct(case)
    x, target = decode(case["input"]), decode(case["target"])
    seeded(case, "forward_seed")
    loss = criterion.forward(x, target)
    comparison.same(loss, case["output"], "output")
    if type(loss) not in (int, float, type(None)):
        comparison.differences.append(f"output: a {type(loss).__name__} is no number of Python's")
    if "gradInput" in case:
        seeded(case, "backward_seed")
        target = decode(case["backward_target"]) if "backward_target" in case else target
        comparison.same(criterion.backward(x, target), case["gradInput"], "gradInput")
    for path, want in case.get("extra", {}).items():
        path = "total_weight_tensor.1" if path == "total_weight" else path  # Torch returns it beside the loss
        comparison.same(follow(criterion, path), want, f"extra.{path}")


def run_behaviour(case: Case, comparison: Comparison) -> None:
    results: Case = {}
    names = NAMES | {name: decode(value) for name, value in case["vars"].items()} | {"R": results, "clone": copied}
    torch7.manualSeed(case["seed"])
    exec(case["py"], names)
    for name, want in case["results"].items():
        comparison.same(results.get(name, "missing"), want, f"R[{name!r}]")


def run_tostring(case: Case, comparison: Comparison) -> None:
    torch7.manualSeed(case["seed"])
    comparison.same(str(eval(case["py"], dict(NAMES))), case["string"], "string")


def refuse(case: Case, comparison: Comparison) -> None:
    """Torch refuses the call: so must we, saying who refuses."""
    before: Callable[[], Any]
    if case["call"] == "construct":
        before, refused = lambda: None, lambda: eval(case["py"], dict(NAMES))
    else:
        before, refused = refused_call(case)
    before()
    try:
        refused()
    except REFUSALS as error:
        names = "|".join({"nn", "torch7"} | classes_named(case))
        if not re.search(rf"\b({names})\b", str(error)):
            comparison.differences.append(f"the error does not say whose it is: {error!r}")
    else:
        comparison.differences.append(f"no error was raised; Torch's was: {case['torch_error']}")


def refused_call(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """What comes before the call that is refused, and that call."""
    made, x = construct(case), decode(case["input"])
    args = (x, decode(case["target"])) if case["kind"] == "criterion" else (x,)
    if case["call"] == "forward":
        return lambda: None, lambda: made.forward(*args)
    last = args if case["kind"] == "criterion" else (x, decode(case["gradOutput"]))
    return lambda: made.forward(*args), lambda: made.backward(*last)


RUNNERS = {
    "module": run_module,
    "criterion": run_criterion,
    "behaviour": run_behaviour,
    "tostring": run_tostring,
}
