"""The states that networks of one time step begin with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import gModule, initial_states
from tests.support.cells import CASES, Case, build, given, name


@pytest.mark.parametrize("case", CASES, ids=name)
def test_of_the_librarys_networks(case: Case):
    net, (x, *states) = build(case), given(case)
    zeros = initial_states(net, len(x))
    assert [(z.shape, z.dtype) for z in zeros] == [(s.shape, s.dtype) for s in states]
    assert not any(z.any() for z in zeros)
    assert len({id(torch7.memory.owner(z)) for z in zeros}) == len(zeros)
    assert len(net.forward([x, *zeros])) == len(zeros) + 1


def test_of_a_network_from_a_file_and_of_its_type():
    net = torch7.deserialize(torch7.serialize(pygraphnn.lstm(5, 3, 2).float()))
    zeros = initial_states(net, 4)
    assert [(z.shape, z.dtype) for z in zeros] == [((4, 3), np.float32)] * 4


def wired() -> gModule:
    """[c, x, h] to [h', y, c'], c of 3 and h of 2, c read by nothing that has weights."""
    c, x, h = (nn.Identity()() for _ in range(3))
    joined = nn.JoinTable(1, 1)([x, h])
    next_c = nn.CAddTable()([nn.Tanh()(nn.Linear(6, 3)(joined)), c])
    next_h = nn.Dropout(0.5)(nn.Linear(3, 2)(next_c))
    return gModule([c, x, h], [next_h, nn.SoftMax()(nn.Linear(2, 9)(next_h)), next_c])


def test_of_a_network_in_another_order():
    assert [z.shape for z in initial_states(wired(), 7, {3: 1, 1: 3})] == [(7, 3), (7, 2)]
    assert [z.shape for z in initial_states(wired(), 7, states={3: 1})] == [(7, 2)]
    assert initial_states(wired(), 7, {}) == []


def test_of_a_network_without_a_second_input():
    h = nn.Identity()()
    assert [z.shape for z in initial_states(gModule([h], [nn.Linear(4, 4)(h)]), 2, {1: 1})] == [(2, 4)]


def test_an_input_that_a_linear_map_reads_is_as_wide_as_its_input():
    x, h = nn.Identity()(), nn.Linear(5, 3)()
    net = gModule([x, h], [nn.Linear(3, 5)(h), nn.Identity()(x)])
    assert initial_states(net, 2, {2: 1})[0].shape == (2, 5)


def test_the_width_of_a_cell_that_only_peepholes_tell():
    x, c = nn.Identity()(), nn.Identity()()
    net = gModule([x, c], [nn.CMulTable()([nn.CMul(6)(c), x])])
    assert initial_states(net, 1)[0].shape == (1, 6)


def test_parts_of_a_table_are_told_apart():
    x, h = nn.Identity()(), nn.Identity()()
    wide, narrow = nn.ConcatTable().add(nn.Linear(4, 8)).add(nn.Linear(4, 2))(x).split(2)
    net = gModule([x, h], [nn.CAddTable()([nn.Linear(2, 3)(narrow), h]), nn.Linear(8, 1)(wide)])
    assert initial_states(net, 1)[0].shape == (1, 3)


def refused(*arguments: Any) -> str:
    with pytest.raises((TypeError, ValueError)) as error:
        initial_states(*arguments)
    return str(error.value)


def test_what_is_refused():
    x, h = nn.Identity()(), nn.Identity()()
    unknown = gModule([x, h], [nn.Tanh()(h), nn.Linear(2, 3)(x)])
    assert refused(unknown, 2) == "pygraphnn.initial_states: nothing tells how wide input 2 of the nn.gModule is"
    assert refused(wired(), 2, {4: 1}) == (
        "pygraphnn.initial_states: states should map inputs (1 to 3) to outputs (1 to 3), got 4: 1"
    )
    assert "got 1: 0" in refused(wired(), 2, {1: 0})
    assert "got 3: 4" in refused(wired(), 2, {3: 4})
    assert refused(nn.Linear(2, 2), 2) == "pygraphnn.initial_states: expected a gModule, got a nn.Linear"
    assert refused(wired(), "2", {}) == "pygraphnn.initial_states: expected a whole number as B, got '2'"
    assert (
        refused(wired(), 2, [1]) == "pygraphnn.initial_states: expected states as a dict of inputs to outputs, got [1]"
    )
