"""Pictures of networks: shared parameters, graphs in graphs, states, plumbing, and what failed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import nn
from pygraphnn import gModule, picture, render
from pygraphnn.drawing import FAILED
from pygraphnn.facts import letter
from pygraphnn.view import View
from tests.support.char_rnn import gru
from tests.support.graphs import cell, mlp, nested, net, residual, two
from tests.support.pictures import Picture


class TestShared:
    def test_one_module_in_two_nodes(self):
        linear = nn.Linear(2, 2)
        found = Picture(net(linear, nn.Linear(2, 2), linear))
        assert [found.labels[f"n_{i}"][-1] for i in (3, 4, 5)] == ["shared A", "6 parameters", "shared A"]
        assert [found.attributes[f"n_{i}"].get("peripheries") for i in (3, 4, 5)] == ["2", None, "2"]

    def test_weights_that_were_shared_and_clones(self):
        first, second = nn.Linear(2, 2), nn.Linear(2, 2)
        second.share(first, "weight")
        cloned = second.clone("weight", "bias")
        assert [fact.shared for fact in drawn_facts(net(first, second, cloned))] == ["", "A", "A, B", "A, B"]

    def test_parts_of_memory(self):
        one, two_, three = nn.Linear(4, 2, False), nn.Linear(2, 2, False), nn.Linear(2, 2, False)
        two_.weight = one.weight[:, :2]
        three.weight = one.weight[:, 2:]
        assert [f.shared for f in drawn_facts(net(three, two_))] == ["", "", ""]  # side by side, but not the same
        assert [f.shared for f in drawn_facts(net(one, three, two_))] == ["", "A", "A", "A"]
        assert [f.parameters for f in drawn_facts(net(one, nn.Sequential().add(one).add(three)))] == [0, 8, 8]

    def test_parameters_in_one_vector_are_not_shared(self):
        g = mlp()
        g.getParameters()
        assert not any(fact.shared for fact in drawn_facts(g))

    def test_letters(self):
        assert [letter(n) for n in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]

    def test_a_nested_graph_that_is_folded(self):
        block = residual()
        assert [f.shared for f in drawn_facts(net(block, block.clone("weight", "bias")), fold=True)] == ["", "A", "A"]

    def test_a_gradient_is_not_made_for_a_picture(self):
        sparse = nn.IndexLinear(5, 2)
        assert "12 parameters" in Picture(net(sparse)).labels["n_3"]
        assert sparse.gradWeight.size == 0


def drawn_facts(g: Any, **options: Any) -> list[Any]:
    """The facts that a picture shows."""
    return [leaf.fact for box in View(g, **options).boxes for leaf in box.leaves() if leaf.fact is not None]


class TestNested:
    def test_frames(self):
        found = Picture(net(nn.Tanh(), residual()))
        assert found.frames["n_4"]["lines"] == ["nn.gModule"]
        assert found.frames["n_4"]["inside"] == {"n_4_2", "n_4_3", "n_4_4", "n_4_5"}
        assert found.edges == [
            ("n_2", "n_3", ""),
            ("n_3", "n_4_2", ""),
            ("n_4_2", "n_4_3", ""),
            ("n_4_2", "n_4_5", ""),
            ("n_4_3", "n_4_4", ""),
            ("n_4_4", "n_4_5", ""),
            ("n_4_5", "out1", ""),
        ]
        assert "20 parameters" in found.frames["n_4"]["tooltip"]

    def test_folded(self):
        x = nn.Identity()()
        first, second = residual(), residual()
        second.name = "second"
        g = gModule([x], [second(first(x).annotate(name="first"))])
        assert set(Picture(g).frames) == {"n_3", "n_4"}
        assert not Picture(g, fold=True).frames
        assert set(Picture(g, fold="first").frames) == {"n_4"}
        assert set(Picture(g, fold=["second"]).frames) == {"n_3"}
        assert not Picture(g, fold={"first", "second"}).frames
        assert Picture(g, fold="second").labels["n_4"] == ["second", "20 parameters"]
        with pytest.raises(ValueError, match="no nested graph to fold is named 'third': there are 'first', 'second'"):
            picture(g, fold="third")
        with pytest.raises(ValueError, match="there are none with a name"):
            picture(mlp(), fold=["x"])

    @pytest.mark.parametrize("fold", [3, None, [3], ["a", 3], nested()])
    def test_what_are_no_names(self, fold):
        with pytest.raises(TypeError, match=r"pygraphnn\.draw: expected fold as True, False, or names of graphs, got "):
            picture(mlp(), fold=fold)

    def test_a_frame_without_a_name_says_what_it_is_in_small_letters(self):
        assert '<font point-size="9" color="#666666">nn.gModule</font>' in picture(net(residual()))

    def test_in_each_other(self):
        x = nn.Identity()()
        found = Picture(gModule([x], [net(net(residual()))(x)]))
        assert set(found.frames) == {"n_3", "n_3_3", "n_3_3_3"}
        assert found.frames["n_3"]["inside"] > found.frames["n_3_3"]["inside"] > found.frames["n_3_3_3"]["inside"]
        assert ("n_3_3_2", "n_3_3_3_2", "") in found.edges
        assert ("n_3_3_3_5", "out1", "") in found.edges

    def test_one_module_in_two_nodes(self):
        block = residual()
        found = Picture(net(block, block))
        assert set(found.frames) == {"n_3", "n_4"}
        assert found.labels["n_3_3"] == found.labels["n_4_3"] == ["nn.Linear(4 -> 4)", "20 parameters", "shared A"]
        assert ("n_3_5", "n_4_2", "") in found.edges

    def test_the_only_node(self):
        node = residual()()
        found = Picture(gModule([node], [node]))
        assert found.frames["n_2"]["lines"] == ["input"]
        assert found.edges[-1] == ("n_2_5", "out1", "")

    def test_several_inputs_and_outputs(self):
        a, b = nn.Identity()(), nn.Identity()()
        sums = two()([a, b])
        tanh, sigmoid = sums.split(2)
        found = Picture(gModule([a, b], [nn.Tanh()(sigmoid), tanh]))
        inner = {found.labels[id_][0]: id_ for id_ in found.frames[next(iter(found.frames))]["inside"]}
        assert [(b, part) for a, b, part in found.edges if a == inner["nn.Tanh"]] == [(found.id("output 2"), "")]
        assert [part for a, _, part in found.edges if a == inner["nn.Sigmoid"]] == [""]
        assert len(found.edges) == 9

    def test_tables_into_and_out_of_frames(self):
        x = nn.Identity()()
        pair = nn.ConcatTable().add(nn.Identity()).add(nn.Tanh())(x)
        g = gModule([x], [nn.CAddTable()(two()(two()(pair)))])
        found = Picture(g)
        second, first = "n_5", "n_4"
        assert [(a, part) for a, b, part in found.edges if b == f"{first}_4" or b == f"{first}_6"] == [
            ("n_3", "1"),
            ("n_3", "2"),
        ]
        between = [
            (found.labels[a][0], found.labels[b][0]) for a, b, _ in found.edges if a[:3] == first and b[:3] == second
        ]
        assert sorted(between) == [("nn.Sigmoid", "input 2"), ("nn.Tanh", "input 1")]
        added = [a for a, b, _ in found.edges if b == "n_6"]
        assert {found.labels[a][0] for a in added} == {"nn.Tanh", "nn.Sigmoid"}

    def test_a_part_of_what_a_frame_makes(self):
        x = nn.Identity()()
        table = net(nn.SplitTable(2))(x)
        a, b = table.split(2)
        found = Picture(gModule([x], [nn.CSubTable()([b, a])]))
        assert [edge for edge in found.edges if edge[1] == found.id("nn.CSubTable")] == [
            ("n_3_3", found.id("nn.CSubTable"), "1"),
            ("n_3_3", found.id("nn.CSubTable"), "2"),
        ]

    def test_a_split_inside_and_an_input_inside_that_computes(self):
        x, y = nn.Identity()(), nn.Tanh()()
        a, b = x.split(2)
        inner = gModule([x, y], [nn.CAddTable()([b, y]), a])
        p, q = nn.Identity()(), nn.Identity()()
        r, s = inner([p, q]).split(2)
        found = Picture(gModule([p, q], [nn.Sigmoid()(r), s]))
        assert ("input 2", "input 2", "") in found.named()
        assert found.labels[next(b for a, b, _ in found.edges if found.labels[a] == ["input 2"])] == [
            "input 2",
            "nn.Tanh",
        ]
        assert ("input 1", "output 2", "1") in found.named()
        assert ("input 1", "nn.CAddTable", "2") in found.named()

    def test_an_input_inside_that_is_an_output(self):
        x = nn.Identity()()
        found = Picture(net(gModule([x], [x]), nn.Tanh()))
        assert found.named() == [
            ("input", "input", ""),
            ("input", "nn.Tanh", ""),
            ("nn.Tanh", "output", ""),
        ]

    def test_a_frame_in_a_wrong_place_is_drawn_all_the_same(self):
        """The graph cannot run: its picture shows why."""
        x = nn.Identity()()
        g = gModule([x], [two()([nn.Tanh()(x), nn.Sigmoid()(x), x]), nn.SelectTable(3)(two()(x))])
        assert render.render(picture(g), "svg")
        x = nn.Identity()()
        a, b, c = two()(x).split(3)
        assert render.render(picture(gModule([x], [a, b, c])), "svg")


class TestStates:
    MAP = {2: 1, 3: 2, 4: 3, 5: 4}

    def test_edges_to_the_next_step(self):
        g = cell()
        found = Picture(g, states=self.MAP)
        made = {k: a for a, b, _ in found.edges for k in range(1, 5) if b == f"out{k}"}
        assert found.states == sorted((made[k], found.id(f"input {i}")) for i, k in self.MAP.items())
        assert found.edges == Picture(g).edges
        for start, end in found.states:
            edge = found.graph.get_edge(start, end)
            assert edge.attr["constraint"] == "false"
            assert edge.attr["tooltip"] == "to the next time step"

    def test_outputs_tell_what_they_become(self):
        x, h = nn.Identity()(), nn.Identity()().annotate(name="h")
        made = nn.CAddTable()([x, h])
        found = Picture(gModule([x, h], [made, nn.Tanh()(made)]), states={1: 1, 2: 1})
        assert (found.labels["out1"], found.labels["out2"]) == (["output 1", "→ input 1, h"], ["output 2"])

    def test_they_do_not_disturb_the_layout(self):
        def rows(**options: Any) -> dict[str, float]:
            text = render.render(picture(gru(5, 4, 1), **options), "svg").decode()
            ys = re.findall(r"<title>(n_\d+)</title>.*?<text[^>]* y=\"([-\d.]+)\"", text, re.DOTALL)
            heights = sorted({float(y) for _, y in ys})
            return {name: heights.index(float(y)) for name, y in ys}

        assert rows(states={2: 1}) == rows()

    def test_through_frames_and_parts(self):
        x, h = nn.Identity()(), nn.Identity()()
        inner = two()([x, h])
        a, b = inner.split(2)
        found = Picture(gModule([x, h], [a, b]), states={2: 2})
        ((start, end),) = found.states
        assert (found.labels[start], found.labels[end]) == (["nn.Sigmoid"], ["input 2"])

    def test_one_input(self):
        assert Picture(mlp(), states={1: 1}).states == [("n_5", "n_2")]

    def test_with_everything_shown(self):
        ((start, end),) = Picture(two(), states={2: 1}, plumbing=True).states
        found = Picture(two(), plumbing=True)
        assert (found.labels[start], found.labels[end]) == (["nn.Tanh"], ["nn.Identity"])

    @pytest.mark.parametrize("states", [{0: 1}, {3: 1}, {1: 0}, {1: 3}, {1: -1}, {"a": 1}, {1: "a"}, {1.5: 1}])
    def test_wrong_maps(self, states):
        with pytest.raises(ValueError, match=r"map inputs \(1 to 2\) to outputs \(1 to 2\), got "):
            picture(two(), states=states)

    def test_no_map(self):
        with pytest.raises(TypeError, match="expected states as a dict of inputs to outputs, got \\[1"):
            picture(two(), states=[1, 2])

    def test_numbers_as_torch_has_them(self):
        assert picture(two(), states={1.0: 2.0}) == picture(two(), states={1: 2})


class TestPlumbing:
    def test_everything_is_shown(self):
        g = cell()
        found = Picture(g, plumbing=True)
        assert len(found.labels) == len(g.forwardnodes)
        assert len(found.edges) == len(g.fg.edges)
        assert found.labels["n_1"] == ["input"]
        assert found.labels[f"n_{len(g.forwardnodes)}"] == ["output"]
        texts = [label[0] for label in found.labels.values()]
        assert texts.count("split(4)") == 2
        assert texts.count("split(5)") == 1
        assert texts.count("part 4") == 3
        split = found.attributes[next(id_ for id_, label in found.labels.items() if label[0] == "split(4)")]
        assert (split["fillcolor"], split["height"]) == ("#f4f4f4", "0.2")
        assert 'point-size="9"' in split["label"]

    def test_inside_frames(self):
        found = Picture(net(residual()), plumbing=True)
        assert [(a, b) for a, b, _ in found.edges] == [
            ("n_1", "n_2"),
            ("n_2", "n_3_1"),
            ("n_3_1", "n_3_2"),
            ("n_3_2", "n_3_3"),
            ("n_3_2", "n_3_5"),
            ("n_3_3", "n_3_4"),
            ("n_3_4", "n_3_5"),
            ("n_3_5", "n_3_6"),
            ("n_3_6", "n_4"),
        ]


class TestFailed:
    def test_boxes_and_frames(self):
        inner = residual()
        g = net(net(inner), nn.Tanh())
        g.forward(np.ones((2, 4)))
        failed = [node.data for node in inner.forwardnodes if type(node.data.module) is nn.Linear]
        found = Picture(g, failed=failed)
        red = [id_ for id_, a in found.attributes.items() if a["fillcolor"] == FAILED[0]]
        assert red == ["n_3_3_3"]
        assert found.labels["n_3_3_3"] == ["nn.Linear(4 -> 4)", "20 parameters", "failed on 2 × 4"]
        assert {id_: frame["color"] for id_, frame in found.frames.items()} == dict.fromkeys(
            ["n_3", "n_3_3"], FAILED[0]
        )

    @pytest.mark.parametrize(("failed", "got"), [([None], "nil"), (None, "nil"), (3, "number"), (["a"], "string")])
    def test_what_is_no_data_of_a_node(self, failed, got):
        with pytest.raises(TypeError, match=rf"expected failed as a list of nodes' data \(node.data\), got a {got}"):
            picture(mlp(), failed=failed)

    def test_a_node_and_data_without_a_list(self):
        node = mlp().forwardnodes[1]
        with pytest.raises(TypeError, match=r"got a nngraph\.Node in it"):
            picture(mlp(), failed=[node])
        with pytest.raises(TypeError, match="got a string in it"):
            picture(mlp(), failed=node.data)

    def test_before_a_run(self):
        g = mlp()
        assert Picture(g, failed=[g.forwardnodes[2].data]).labels["n_3"][-1] == "failed"

    def test_in_what_is_folded(self):
        inner = residual()
        failed = [inner.forwardnodes[2].data]
        for g in (net(inner), net(nn.Sequential().add(nn.Sequential().add(inner)))):
            assert Picture(g, failed=failed, fold=True).attributes["n_3"]["fillcolor"] == FAILED[0]
            assert Picture(g, failed=[], fold=True).attributes["n_3"]["fillcolor"] != FAILED[0]

    def test_after_an_error(self):
        g = mlp()
        with pytest.raises(ValueError, match="expected 4 input columns"):
            g.forward(np.ones((2, 5)))
        found = Picture(g, failed=[g.forwardnodes[2].data])
        assert found.labels["n_3"][-1] == "failed on 2 × 5"
        assert found.labels["n_4"] == ["nn.Tanh"]
