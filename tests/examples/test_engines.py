"""The two ways in which train.py runs its network."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import combine_all_parameters

from ..support.char_rnn import BUILDERS

ENGINES = ("unroll", "clones")
T, B, V, H = 6, 3, 5, 4


@pytest.fixture(params=["lstm", "gru", "rnn"])
def model(request: pytest.FixtureRequest) -> str:
    return request.param


def trained(model: str, name: str, dropout: float = 0, training: bool = True, carried: bool = False) -> list[Any]:
    """Loss, states and gradient of a minibatch; `carried` states are where the minibatch before left them."""
    torch7.manualSeed(1)
    rnn = BUILDERS[model](V, H, 2, dropout)
    protos = torch7.Table(rnn=rnn, criterion=nn.ClassNLLCriterion())
    params, gradient = combine_all_parameters(rnn)
    torch7.uniform_(params, -0.5, 0.5)
    engine = importlib.import_module("util.engines").ENGINES[name](protos, T, lambda text: None)
    draw = np.random.default_rng(0)
    x, y = draw.integers(1, V + 1, (2, T, B))
    states = draw.standard_normal((2 * 2 if model == "lstm" else 2, B, H))
    loss, after = engine.loss(x, y, engine.carry(states) if carried else list(states), training)
    gradient.fill(0)
    engine.gradient()
    return [loss, *after, gradient]


@pytest.mark.parametrize("dropout", [0, 0.5])
@pytest.mark.parametrize("training", [True, False])
def test_both_give_the_same(model: str, dropout: float, training: bool) -> None:
    for mine, other in zip(*(trained(model, name, dropout, training) for name in ENGINES)):
        np.testing.assert_allclose(mine, other, 1e-12, 1e-14)


def test_only_clones_overwrite_the_states_that_they_began_with(model: str) -> None:
    (*loss, mine), (*same, other) = (trained(model, name, carried=True) for name in ENGINES)
    np.testing.assert_allclose(loss[0], same[0], 1e-12)
    assert np.abs(mine - other).max() > 1e-3 * np.abs(mine).max()
