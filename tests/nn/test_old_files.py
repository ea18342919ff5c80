"""Files of the years in which modules had fewer fields: what is missing gets the meaning that Torch gives to nil.

The cases' `old` fields are tried with the other promises; here is what differs from the constructor's default.
"""

from __future__ import annotations

import numpy as np

import nn
import torch7
from tests.support.contract import without

X = np.linspace(-1, 1, 24).reshape(4, 6)


def test_a_float_module_without_a_type_is_still_float():
    old = without(nn.Linear(6, 3).float(), "_type")
    assert old.type() == "torch.FloatTensor"
    assert old.forward(X.astype(np.float32)).dtype == np.float32


def test_dropout_from_before_the_second_version_scales_in_evaluation():
    old = without(nn.Dropout(0.25), "v2")
    old.evaluate()
    np.testing.assert_array_equal(old.forward(X), X * 0.75)


def test_multi_label_soft_margin_from_when_it_was_made_of_two():
    x, t, w = X[:, :3], (X[:, 3:] > 0) * 1.0, np.array([1.0, 2.0, 3.0])
    for args in ((None,), (w,)):
        c = nn.MultiLabelSoftMarginCriterion(*args)
        old = torch7.deserialize(torch7.serialize(c))
        for name in ("sigmoid", "sizeAverage", "weights"):
            vars(old).pop(name, None)
        old.lsm, old.nll = nn.Sigmoid(), nn.BCECriterion(*args)
        old = torch7.deserialize(torch7.serialize(old))
        assert old.forward(x, t) == c.forward(x, t)
        np.testing.assert_array_equal(old.backward(x, t), c.backward(x, t))
        assert vars(old).keys() >= {"sigmoid", "sizeAverage"}
        assert not vars(old).keys() & {"lsm", "nll"}


def test_distance_ratio_with_torchs_buffers():
    c, x = nn.DistanceRatioCriterion(), [X[0], X[1]]
    old = nn.DistanceRatioCriterion()
    old.gradInput = np.zeros(0)  # Torch returns its gradients without keeping them there
    for name in ("_expMinusX", "_expMinusY", "_sumExpMinusXY", "_logSumExpMinusXY", "loss", "dX", "dY"):
        setattr(old, name, np.zeros(6))
    old = torch7.deserialize(torch7.serialize(old)).float()
    x32 = [a.astype(np.float32) for a in x]
    assert abs(old.forward(x32) - c.forward(x)) < 1e-6
    np.testing.assert_allclose(old.backward(x32), c.backward(x), rtol=1e-5)


def loaded(m: nn.Module, version: int, **fields: object) -> nn.Module:
    """m as read from a file of a version, in which it has some fields more."""
    old = torch7.TorchObject(torch7.typename(m), version, **vars(m) | fields)
    return torch7.deserialize(torch7.serialize(old))


def test_modules_that_were_shared_when_sharing_replaced_a_method():
    function = torch7.LuaFunction(b"\x1bLJ")  # Torch saved its own sharedAccUpdateGradParameters, until 2017
    m = nn.Add(6)
    old = loaded(m, 1, accUpdateGradParameters=function)
    assert old.shared is True
    assert "accUpdateGradParameters" not in vars(torch7.deserialize(torch7.serialize(old)))
    m.shared = True
    for module in (m, old):
        module.forward(X)
        module.backwardUpdate(X, X + 1, 0.5)
    np.testing.assert_array_equal(old.bias, m.bias)
    np.testing.assert_array_equal(old.gradBias, m.gradBias)


def test_weight_normalization_from_when_the_weight_was_saved():
    m, x = nn.WeightNorm(nn.Linear(6, 3)), X
    old = torch7.deserialize(torch7.serialize(m))
    del vars(old)["weightSize"]
    again = torch7.deserialize(torch7.serialize(old))
    assert again.weightSize.tolist() == [3, 6]
    np.testing.assert_array_equal(again.forward(x), m.forward(x))


def test_pooling_of_volumes_from_before_there_was_a_choice_of_sizes():
    m, x = nn.VolumetricMaxPooling(1, 2, 2), X.reshape(1, 1, 4, 6)[..., :5]
    fields = vars(m).copy()
    del m.ceil_mode
    old = loaded(m, 1)
    assert vars(old)["ceil_mode"] is False  # Torch fails without it, once the file says that it is of version 2
    assert vars(old).keys() == fields.keys()
    assert old.forward(x).shape == (1, 1, 2, 2)
