"""Pictures of networks."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nn
from pygraphnn import draw, gModule, picture
from pygraphnn.drawing import COLOURS, OTHER
from tests.support.graphs import cell, chain, mlp, two


def attributes(text: str, name: str) -> dict[str, str]:
    """What the text says of the node with this line in its label."""
    (line,) = (line for line in text.splitlines() if name in label(line).split("\\n"))
    return dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line))


def label(line: str) -> str:
    match = re.match(r'\w+ \[.*\blabel="((?:[^"\\]|\\.)*)"', line)
    return match[1] if match else ""


def edges(text: str) -> list[tuple[str, str, str]]:
    """Where edges begin and end, by the last lines of the nodes' labels, and what stands at their tails."""
    names = {m[1]: label(m[0]).split("\\n")[-1] for m in re.finditer(r"^(\w+) \[.*", text, re.M)}
    found = re.findall(r'^(\w+) -> (\w+)(?: \[taillabel="(\w+)".*)?;$', text, re.M)
    return sorted((names[a], names[b], part) for a, b, part in found)


def test_nodes_and_edges():
    text = picture(mlp())
    assert edges(text) == [
        ("nn.Linear(3 -> 2)", "output", ""),
        ("nn.Linear(4 -> 3)", "nn.Tanh", ""),
        ("nn.Tanh", "nn.Linear(3 -> 2)", ""),
        ("x", "nn.Linear(4 -> 3)", ""),
    ]
    assert attributes(text, "hidden")["label"] == "hidden\\nnn.Linear(4 -> 3)"
    assert re.fullmatch(r"\[.*graphs\.py\]:\d+_mlp", attributes(text, "hidden")["tooltip"])
    assert attributes(text, "x")["label"] == "x"  # its name in place of "input"
    assert text.startswith("digraph network {")


def test_inputs_and_outputs_are_numbered():
    assert edges(picture(two())) == [
        ("input 1", "nn.CAddTable", ""),
        ("input 2", "nn.CAddTable", ""),
        ("nn.CAddTable", "nn.Sigmoid", ""),
        ("nn.CAddTable", "nn.Tanh", ""),
        ("nn.Sigmoid", "output 2", ""),
        ("nn.Tanh", "output 1", ""),
    ]


def test_an_input_that_computes_shows_what():
    h = nn.Linear(2, 3)()
    assert attributes(picture(gModule([h], [nn.Tanh()(h)])), "input")["label"] == "input\\nnn.Linear(2 -> 3)"


def test_parts_of_a_split_carry_their_number():
    x = nn.Identity()()
    a, b = nn.SplitTable(2)(x).split(2)
    assert edges(picture(gModule([x], [nn.CMulTable()([b, nn.Tanh()(a)])]))) == [
        ("input", "nn.SplitTable", ""),
        ("nn.CMulTable", "output", ""),
        ("nn.SplitTable", "nn.CMulTable", "2"),
        ("nn.SplitTable", "nn.Tanh", "1"),
        ("nn.Tanh", "nn.CMulTable", ""),
    ]


def test_colours_tell_families():
    x, y = nn.Identity()(), nn.Identity()()
    h = nn.Sequential().add(nn.Linear(2, 2))(nn.CAddTable()([nn.Linear(2, 2)(x), nn.Tanh()(x)]))
    text = picture(gModule([x, y], [nn.MSECriterion()([h, y])]))
    wanted = {
        "nn.Linear(2 -> 2)": "layers",
        "nn.Sequential": "containers",
        "nn.Tanh": "activations",
        "nn.CAddTable": "tables",
        "nn.MSECriterion": "criterions",
    }
    for name, family in wanted.items():
        assert attributes(text, name)["fillcolor"] == COLOURS[family]


def test_a_class_of_a_script_has_the_other_colour():
    class Mine(nn.Module):
        pass

    x = nn.Identity()()
    assert attributes(picture(gModule([x], [Mine()(x)])), "Mine")["fillcolor"] == OTHER


def test_annotations():
    x = nn.Identity()()
    y = nn.Tanh()(x).annotate(name='a "b"', description="two\nlines", graphAttributes={"color": "red", "penwidth": 3})
    text = picture(gModule([x], [y]), "The net")
    assert 'label="The net";' in text
    found = attributes(text, "nn.Tanh")
    assert found["label"] == 'a \\"b\\"\\nnn.Tanh\\ntwo\\nlines'
    assert (found["color"], found["penwidth"]) == ("red", "3")


@pytest.mark.parametrize("suffix", ["dot", "svg", "png", "pdf"])
def test_files(tmp_path, suffix):
    draw(cell(), tmp_path / f"net.{suffix}", "One step")
    data = (tmp_path / f"net.{suffix}").read_bytes()
    assert data.startswith({"dot": b"digraph", "svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix])
    if suffix == "svg":
        for text in (b"One step", b"i2h_2", b"decoder", b"input 5", b"output 5", b"nn.Dropout(0.500000)"):
            assert text in data


def test_unknown_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"unknown suffix '\.bmp'"):
        draw(mlp(), tmp_path / "net.bmp")


def test_a_notebook_shows_the_picture():
    shown = mlp()._repr_mimebundle_()
    assert shown["text/plain"] == "nn.gModule"
    assert "nn.Tanh" in shown["image/svg+xml"]
    assert set(chain(600)._repr_mimebundle_()) == {"text/plain"}  # too large to be laid out unasked


def test_drawing_changes_nothing():
    g, x = mlp(), np.ones((2, 4))
    before = g.fg.todot()
    picture(g)
    assert g.fg.todot() == before
    y = g.forward(x).copy()
    picture(g)
    np.testing.assert_array_equal(g.forward(x), y)
