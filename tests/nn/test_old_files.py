"""Files of the years in which modules had fewer fields: what is missing gets the meaning that Torch gives to nil."""

from __future__ import annotations

import numpy as np
import pytest

import nn
import torch7

X = np.linspace(-1, 1, 24).reshape(4, 6)

# a module or criterion, its input, and fields that files of 2015 do not have
MODULES = [
    (nn.Linear(6, 3), X, ["addBuffer", "_type", "train"]),
    (nn.Reshape(2, 3), X, ["_input", "_gradOutput", "batchMode", "_type"]),
    (nn.View(2, 3), X, ["numInputDims"]),
    (nn.ReLU(), X, ["inplace"]),
    (nn.Sigmoid(), X, ["train", "output"]),
    (nn.Add(6), X, ["scalar"]),
    (nn.MulConstant(2), X, ["inplace"]),
    (nn.AddConstant(2), X, ["inplace"]),
    (nn.CAddTable(), [X, X], ["inplace"]),
    (nn.JoinTable(1, 1), [X, X], ["size"]),
    (nn.SplitTable(2), X, ["nInputDims"]),
    (nn.LookupTable(9, 3), np.array([1, 9]), ["paddingValue", "maxNorm", "normType", "_count", "_input"]),
]
CRITERIONS = [
    (nn.ClassNLLCriterion(), ["ignoreIndex", "total_weight_tensor", "output_tensor", "target", "weights"]),
    (nn.CrossEntropyCriterion(), ["oldSizeAverage"]),
]


def without(obj, fields):
    old = obj.clone()
    for field in fields:
        vars(old).pop(field, None)
    return torch7.deserialize(torch7.serialize(old))


@pytest.mark.parametrize(("module", "x", "fields"), MODULES, ids=lambda value: getattr(type(value), "__name__", ""))
def test_modules_do_what_they_did(module, x, fields):
    def results(m):
        m.zeroGradParameters()
        y = m.forward(x)
        g = [np.ones_like(v) for v in y] if isinstance(y, list) else np.ones_like(y)
        return [y, m.backward(x, g), *m.parameters()[1]]

    expected = results(module)
    for got in (results(without(module, fields)), *(results(without(module, [field])) for field in fields)):
        np.testing.assert_equal(got, expected)


@pytest.mark.parametrize(("criterion", "fields"), CRITERIONS, ids=["nll", "cross entropy"])
def test_criterions_do_what_they_did(criterion, fields):
    labels = np.array([1, 6, 2, 2])
    expected = criterion.forward(X, labels), criterion.backward(X, labels).copy()
    old = without(criterion, fields)
    assert old.forward(X, labels) == expected[0]
    np.testing.assert_array_equal(old.backward(X, labels), expected[1])


def test_a_float_module_without_a_type_is_still_float():
    old = without(nn.Linear(6, 3).float(), ["_type"])
    assert old.type() == "torch.FloatTensor"
    assert old.forward(X.astype(np.float32)).dtype == np.float32


def test_dropout_from_before_the_second_version_scales_in_evaluation():
    old = without(nn.Dropout(0.25), ["v2"])
    old.evaluate()
    np.testing.assert_array_equal(old.forward(X), X * 0.75)
