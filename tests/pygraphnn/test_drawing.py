"""Pictures of networks: boxes, what they tell, and files."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Node, draw, gModule, picture, render
from pygraphnn.drawing import COLOURS, FAILED, MEMBERS, OTHER
from tests.support.char_rnn import lstm
from tests.support.graphs import cell, chain, mlp, net, residual, two
from tests.support.pictures import Picture


class TestBoxes:
    def test_nodes_and_edges(self):
        found = Picture(mlp())
        assert found.named() == [
            ("hidden", "nn.Tanh", ""),
            ("nn.Linear(3 -> 2)", "output", ""),
            ("nn.Tanh", "nn.Linear(3 -> 2)", ""),
            ("x", "hidden", ""),
        ]
        assert found.labels[found.id("hidden")] == ["hidden", "nn.Linear(4 -> 3)", "15 parameters"]
        assert found.labels[found.id("x")] == ["x"]  # its name in place of "input"
        assert found.text.startswith("digraph network {")

    def test_the_name_is_bold_and_the_line_that_made_the_node_a_tooltip(self):
        found = Picture(mlp())
        assert "<b>hidden</b>" in found.attributes[found.id("hidden")]["label"]
        tip = found.attributes[found.id("hidden")]["tooltip"]
        assert re.fullmatch(
            r"nn\.Linear\(4 -&gt; 3\)\\n15 parameters\\nmade at (.*/)?tests/support/graphs\.py:\d+ in mlp", tip
        )

    def test_inputs_and_outputs_are_numbered(self):
        assert Picture(two()).named() == [
            ("input 1", "nn.CAddTable", ""),
            ("input 2", "nn.CAddTable", ""),
            ("nn.CAddTable", "nn.Sigmoid", ""),
            ("nn.CAddTable", "nn.Tanh", ""),
            ("nn.Sigmoid", "output 2", ""),
            ("nn.Tanh", "output 1", ""),
        ]

    def test_an_input_that_computes_shows_what(self):
        h = nn.Linear(2, 3)()
        found = Picture(gModule([h], [nn.Tanh()(h)]))
        box = found.id("input")
        assert found.labels[box] == ["input", "nn.Linear(2 -> 3)", "9 parameters"]
        assert found.attributes[box]["fillcolor"] == COLOURS["layers"][0]

    def test_an_input_that_is_an_output(self):
        x = nn.Identity()()
        assert Picture(gModule([x], [x])).named() == [("input", "output", "")]

    def test_shapes_come_from_the_last_run(self):
        g = mlp()
        g.forward(np.ones((2, 4)))
        assert Picture(g).labels["n_3"] == ["hidden", "nn.Linear(4 -> 3)", "2 × 3 · 15 parameters"]
        g.forward(np.ones((7, 4)))
        found = Picture(g)
        assert found.labels["n_3"][2].startswith("7 × 3")
        assert found.labels["out1"] == ["output", "7 × 2"]
        assert found.tips[("n_2", "n_3")] == "7 × 4"
        g.clearState()
        assert Picture(g).labels["n_3"] == ["hidden", "nn.Linear(4 -> 3)", "15 parameters"]

    def test_types_are_told_where_they_are_not_the_networks(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Linear(2, 2)(nn.LookupTable(3, 2)(x))]).float()
        g.forward(np.array([1, 2]))
        found = Picture(g)
        assert found.labels[found.id("input")] == ["input", "2 int64"]
        assert found.labels[found.id("nn.LookupTable")][1] == "2 × 2 · 6 parameters"

    def test_shapes_of_tables(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Identity()(x)])
        for value, told in (
            ([np.ones(2), np.ones((3, 1))], "[2, 3 × 1]"),
            ([np.ones(2)] * 3, "3 of 2"),
            ([np.ones(k) for k in range(1, 8)], "[1, 2, 3, …, 7]"),
            ([[np.ones(2)], []], "[[2], []]"),
            (np.ones(()), "scalar"),
            (3.0, "float"),
        ):
            g.forward(value)
            assert Picture(g).labels["out1"] == ["output", told]

    def test_one_parameter_is_not_plural(self):
        assert "1 parameter" in Picture(net(nn.Mul())).labels["n_3"]
        found = Picture(lstm(65, 128, 1))
        assert "33,792 parameters" in found.labels[found.id("i2h_1")]

    def test_parts_of_a_split_carry_their_number(self):
        x = nn.Identity()()
        a, b = nn.SplitTable(2)(x).split(2)
        assert Picture(gModule([x], [nn.CMulTable()([b, nn.Tanh()(a)])])).named() == [
            ("input", "nn.SplitTable", ""),
            ("nn.CMulTable", "output", ""),
            ("nn.SplitTable", "nn.CMulTable", "2"),
            ("nn.SplitTable", "nn.Tanh", "1"),
            ("nn.Tanh", "nn.CMulTable", ""),
        ]

    def test_parts_of_parts(self):
        x = nn.Identity()()
        a, b = x.split(2)
        c, d = b.split(2)
        assert Picture(gModule([x], [nn.CAddTable()([d, a, c])])).named() == [
            ("input", "nn.CAddTable", "1"),
            ("input", "nn.CAddTable", "2.1"),
            ("input", "nn.CAddTable", "2.2"),
            ("nn.CAddTable", "output", ""),
        ]

    def test_a_node_without_module_makes_a_table(self):
        x, y = nn.Identity()(), nn.Identity()()
        both = Node({})
        both.add(x, True)
        both.add(y, True)
        found = Picture(gModule([x, y], [nn.CAddTable()(both)]))
        assert ("table", "nn.CAddTable", "") in found.named()
        assert len(found.edges) == 4

    def test_members_of_a_container(self):
        short, long = nn.Sequential(), nn.Sequential()
        for _ in range(3):
            short.add(nn.Tanh())
        for _ in range(MEMBERS + 1):
            long.add(nn.Sequential().add(nn.Tanh()))
        found = Picture(net(short.add(residual()), long))
        assert found.labels["n_3"] == [
            "nn.Sequential",
            *("(1) nn.Tanh", "(2) nn.Tanh", "(3) nn.Tanh", "(4) nn.gModule"),
            "20 parameters",
        ]
        listed = [f"({k}) nn.Sequential" for k in range(1, MEMBERS)]
        assert found.labels["n_4"] == ["nn.Sequential", *listed, f"… {MEMBERS + 1} in all"]
        assert Picture(net(nn.Bottle(nn.Linear(2, 2)))).labels["n_3"] == [
            "nn.Bottle @ nn.Linear(2 -> 2)",
            "6 parameters",
        ]

    def test_colours_tell_families(self):
        x, y = nn.Identity()(), nn.Identity()()
        h = nn.Sequential().add(nn.Linear(2, 2))(nn.CAddTable()([nn.Linear(2, 2)(x), nn.Tanh()(x)]))
        h = nn.BatchNormalization(2)(residual(2)(nn.TemporalConvolution(2, 2, 1)(h)))
        found = Picture(gModule([x, y], [nn.MSECriterion()([h, y])]), fold=True)
        wanted = {
            "nn.Linear(2 -> 2)": "layers",
            "nn.Sequential": "containers",
            "nn.Tanh": "activations",
            "nn.CAddTable": "tables",
            "nn.MSECriterion": "criterions",
            "nn.TemporalConvolution": "spatial",
            "nn.BatchNormalization (2D) (2)": "normalization",
            "nn.gModule": "graphs",
        }
        for line, family in wanted.items():
            (box,) = (id_ for id_, label in found.labels.items() if label[0] == line)
            assert found.attributes[box]["fillcolor"] == COLOURS[family][0]

    def test_classes_of_a_script(self):
        class Mine(nn.Module):
            pass

        class MyLinear(nn.Linear):
            def __str__(self) -> str:
                return "my <own> \\N\nmore"

        found = Picture(net(Mine(), MyLinear(2, 2)))
        assert found.labels["n_3"] == ["Mine"]
        assert found.attributes["n_3"]["fillcolor"] == OTHER[0]
        assert found.labels["n_4"] == ["my <own> \\N", "6 parameters"]
        assert found.attributes["n_4"]["fillcolor"] == COLOURS["layers"][0]

    def test_every_colour_lets_black_letters_be_read(self):
        for fill, _ in [*COLOURS.values(), OTHER]:
            r, g, b = (int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5))
            linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (r, g, b)]
            luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
            assert (luminance + 0.05) / 0.05 > 12

    def test_annotations(self):
        x = nn.Identity()()
        y = nn.Tanh()(x).annotate(
            name='a "b"', description="two\nlines", graphAttributes={"color": "red", "penwidth": 3}
        )
        found = Picture(gModule([x], [y]), "The <net>")
        assert "label=<<b>The &lt;net&gt;</b>>;" in found.text
        assert found.labels["n_3"] == ['a "b"', "nn.Tanh", "two", "lines"]
        assert (found.attributes["n_3"]["color"], found.attributes["n_3"]["penwidth"]) == ("red", "3")

    def test_attributes_of_any_name(self):
        x = nn.Identity()()
        node = nn.Tanh()(x).annotate(graphAttributes={"my key": 1, "": 2, 3: 4, "node": "n", "penwidth": None})
        found = Picture(gModule([x], [node])).attributes["n_3"]
        assert (found["my key"], found["3"], found["node"]) == ("1", "4", "n")
        assert "penwidth" not in found

    @pytest.mark.parametrize("wrong", [["bold"], "red", 5])
    def test_attributes_that_are_no_dict(self, wrong):
        x = nn.Identity()()
        g = gModule([x], [nn.Tanh()(x).annotate(graphAttributes=wrong)])
        with pytest.raises(TypeError, match=r"expected graphAttributes as a dict, got .* for node .*test_drawing\.py"):
            picture(g)

    @pytest.mark.parametrize("name", [5, b"bytes", "two\nlines", "<&>"])
    def test_a_name_of_any_kind(self, name):
        g = residual()
        g.name = name
        outer = net(g)
        assert render.render(picture(outer), "svg")
        assert Picture(outer, fold=True).labels["n_3"] == [str(name).splitlines()[0], "20 parameters"]
        assert str(g) == str(name)

    def test_a_tooltip_of_ones_own(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Tanh()(x).annotate(graphAttributes={"tooltip": "mine"})])
        before = Picture(g).attributes
        g.fg.todot()  # notes a tooltip on every node
        assert Picture(g).attributes == before
        assert before["n_3"]["tooltip"] == "mine"

    def test_a_long_text_is_cut(self):
        class Long(nn.Module):
            def __str__(self) -> str:
                return "x" * 100

        found = Picture(net(Long(), nn.Sequential().add(Long())))
        assert found.labels["n_3"] == ["x" * 59 + "…"]
        assert found.labels["n_4"] == ["nn.Sequential", "(1) " + "x" * 59 + "…"]

    def test_objects_of_classes_that_are_unknown_here(self):
        """As a file brings them: such a network cannot run, but be looked at."""
        g = net(nn.Tanh(), residual())
        g.forwardnodes[2].data.module = g.modules[1] = torch7.TorchObject("their.Layer", size=3)
        found = Picture(g, failed=[g.forwardnodes[3].data])
        assert found.labels["n_3"][0].startswith("their.Layer")
        assert found.attributes["n_3"]["fillcolor"] == OTHER[0]
        assert Picture(net(g), failed=[g.forwardnodes[3].data], fold=True).attributes["n_3"]["fillcolor"] == FAILED[0]

    def test_a_graph_of_a_file_and_a_graph_in_float(self):
        g = cell().float()
        g.forward([np.array([1, 5]), *(np.ones((2, 4), np.float32) for _ in range(4))])
        loaded = torch7.deserialize(torch7.serialize(g))
        assert picture(loaded) == picture(g)
        assert "2 × 16" in picture(g)
        assert "float32" not in picture(g)


class TestFiles:
    @pytest.mark.parametrize("suffix", ["dot", "svg", "png", "pdf", "PDF"])
    def test_files(self, tmp_path, suffix):
        draw(cell(), tmp_path / f"net.{suffix}", "One step", states={2: 1})
        data = (tmp_path / f"net.{suffix}").read_bytes()
        start = {"dot": b"digraph", "svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
        assert data.startswith(start[suffix.lower()])
        if suffix == "svg":
            for text in (b"One step", b"i2h_2", b"decoder", b"input 5", b"output 5", b"nn.Dropout(0.500000)"):
                assert text in data

    def test_unknown_suffix(self, tmp_path):
        with pytest.raises(ValueError, match=r"unknown suffix '\.bmp'"):
            draw(mlp(), tmp_path / "net.bmp")

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (nn.Sequential(), r"a nn\.Sequential; pygraphnn\.summary\(\) takes any module$"),
            (mlp().fg, r"a graph\.Graph: give the gModule itself, or draw its graph with pygraphnn\.graph\.dot\(\)$"),
            (None, "a nil$"),
            ("net.svg", "a string$"),
        ],
    )
    def test_what_is_no_graph(self, other, message):
        with pytest.raises(TypeError, match="pygraphnn.draw: expected an nn.gModule, got " + message):
            picture(other)

    def test_a_title_that_is_a_number(self):
        assert "<b>5</b>" in picture(mlp(), 5)

    def test_paths_are_texts(self):
        for path in (b"net.svg", None, 5):
            with pytest.raises(TypeError):
                draw(mlp(), path)

    def test_a_wrong_option_leaves_the_file(self, tmp_path):
        path = tmp_path / "net.svg"
        path.write_text("old")
        for options in ({"rows": "a"}, {"fold": 3}, {"failed": [None]}, {"states": 1}, {"colour": "red"}):
            with pytest.raises((TypeError, ValueError)):
                draw(mlp(), path, **options)
        assert path.read_text() == "old"

    def test_without_graphviz_the_text_is_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr(render, "_commands", lambda *args: iter(()))
        g = mlp()
        with pytest.raises(render.RendererMissing):
            draw(g, tmp_path / "net.pdf")
        assert (tmp_path / "net.dot").read_text() == picture(g)

    def test_a_notebook_shows_the_picture(self):
        shown = mlp()._repr_mimebundle_()
        assert shown["text/plain"] == "nn.gModule"
        assert "nn.Tanh" in shown["image/svg+xml"]
        assert set(chain(600)._repr_mimebundle_()) == {"text/plain"}  # too large to be laid out unasked


def test_drawing_changes_nothing():
    g, x = net(residual(), mlp()), np.ones((2, 4))
    before = torch7.serialize(g)
    picture(g, states={1: 1})
    picture(g, plumbing=True)
    assert torch7.serialize(g) == before
    y = g.forward(x).copy()
    before = torch7.serialize(g)
    picture(g, fold=True, failed=[g.forwardnodes[2].data])
    assert torch7.serialize(g) == before
    np.testing.assert_array_equal(g.forward(x), y)
