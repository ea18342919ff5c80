"""Pictures of deep networks, and of networks of random form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
from pygraphnn import draw, gModule, picture, render
from pygraphnn.columns import Columns
from pygraphnn.drawing import PAGE, PIXELS, fitted
from pygraphnn.facts import facts, outputs, shape
from pygraphnn.view import View
from tests.support.char_rnn import gru, lstm
from tests.support.graphs import cell, chain, mlp, nested, net
from tests.support.pictures import Picture, pixels
from tests.support.random_graphs import bare, drawings


class TestColumns:
    def test_a_deep_network(self):
        g = chain(200)
        found = Picture(g)
        assert found.edges == Picture(g, rows=0).edges
        assert len(found.links) > 2
        assert not Picture(g, rows=0).links

    @pytest.mark.parametrize(
        "build", [cell, lambda: lstm(5, 4, 4), lambda: gru(5, 4, 3), lambda: net(chain(30), nested())]
    )
    @pytest.mark.parametrize("rows", [1, 2, 5, 9])
    def test_the_same_boxes_and_edges(self, build, rows):
        g = build()
        found, wanted = Picture(g, rows=rows), Picture(g, rows=0)
        assert found.edges == wanted.edges
        assert found.labels == wanted.labels
        assert found.frames.keys() == wanted.frames.keys()

    @pytest.mark.parametrize("rows", [-1, 2.5, "a", float("nan"), float("inf"), [1]])
    def test_wrong_numbers_of_rows(self, rows):
        with pytest.raises(ValueError, match=r"expected a number of rows, or 0 for one column, got [-'\[a-z0-9.]+"):
            picture(mlp(), rows=rows)

    @pytest.mark.parametrize(("n", "rows", "columns"), [(31, 10, 4), (47, 10, 5), (60, 30, 3), (200, 30, 7)])
    def test_columns_are_about_equal(self, n, rows, columns):
        found = Columns(View(chain(n)), rows).levels[None]
        lengths = [end - start for start, end in zip(found.starts, [*found.starts[1:], found.rows])]
        assert len(lengths) == columns
        assert max(lengths) <= rows * 1.2
        assert min(lengths) >= rows * 0.6

    @pytest.mark.parametrize("rows", range(3, 12))
    def test_outputs_stand_in_the_column_that_makes_them(self, rows):
        x = node = nn.Identity()()
        made = []
        for _ in range(20):
            node = nn.Tanh()(node)
            made.append(node)
        found = Picture(gModule([x], made), rows=rows)
        assert not any(a in found.links and b.startswith("out") for a, b in found.tips)

    def test_inside_a_frame(self):
        found = Picture(net(chain(100)), rows=20)
        frame = found.frames["n_3"]["inside"]
        assert found.links <= frame
        assert len(found.links) == 10

    def test_inputs_stand_in_the_column_that_reads_them(self):
        x, y = nn.Identity()(), nn.Identity()()
        node = x
        for _ in range(20):
            node = nn.Tanh()(node)
        found = Picture(gModule([x, y], [nn.CAddTable()([node, nn.Linear(2, 2)(y)])]), rows=10)
        assert not any(a == found.id("input 2") and b in found.links for a, b in found.tips)

    @pytest.mark.parametrize("n", [100, 500])
    def test_it_fits_a_page(self, n, tmp_path):
        draw(chain(n), tmp_path / "net.png")
        width, height = pixels(tmp_path / "net.png")
        assert any(width <= 300 * w + 2 and height <= 300 * h + 2 for w, h in PAGE)
        assert min(width, height) > 300

    def test_a_wide_network_lies_across(self, tmp_path):
        x = nn.Identity()()
        g = gModule([x], [nn.Tanh()(x) for _ in range(40)])
        draw(g, tmp_path / "net.png")
        width, height = pixels(tmp_path / "net.png")
        assert height < width <= 300 * PAGE[1][0] + 2

    @pytest.mark.parametrize("n", [40, 150, 1000])
    def test_letters_of_what_is_very_wide_are_legible(self, n):
        x = nn.Identity()()
        text = picture(gModule([x], [nn.Tanh()(x) for _ in range(n)]))
        (width, dpi), *_ = [(PAGE[1][0], int(found)) for found in re.findall(r"dpi=(\d+)", fitted(text))]
        svg = re.search(r'width="(\d+)pt"', render.render(text, "svg").decode())
        scale = width / (int(svg[1]) / 72)
        assert dpi >= 300
        assert dpi * scale > 59 or dpi * width > PIXELS[1] - width

    def test_a_small_network_keeps_its_size(self, tmp_path):
        draw(mlp(), tmp_path / "net.png")
        assert max(pixels(tmp_path / "net.png")) < 144 * 8


# Names as people, and files from elsewhere, may give them: markup, escapes, other scripts, line ends, controls.
NASTY = st.text(
    st.one_of(
        st.sampled_from("\\<>&\"'{}|[]NGElnrt;=\n\r\t \x0b\x00\x1f\u2028é字🙂"),
        st.characters(exclude_categories=["Cs"]),
    )
)


@settings(deadline=None, max_examples=15)
@given(drawings(), st.lists(NASTY, min_size=1), NASTY, st.booleans(), st.sampled_from([0, 2, 3, None]))
def test_pictures_of_any_graph(drawing, names, title, plumbing, rows):
    g = drawing.build()
    for i, node in enumerate(g.forwardnodes):
        if node.data.module is not None:
            node.data.annotations["name"] = names[i % len(names)]
            node.data.annotations["description"] = names[i // 2 % len(names)]
    if plumbing:
        g.forward(bare(drawing.input(1)))
    assert render.render(picture(g, title, plumbing=plumbing, rows=rows), "svg")
    found = Picture(g, title, plumbing=plumbing, rows=rows, fold=True)
    svg = render.render(found.text, "svg").decode()
    for link in found.links:
        assert f"<title>{link}</title>" in svg
    assert all(f"<title>{id_}</title>" in svg for id_ in found.labels)
    if plumbing:
        assert len(found.labels) == len(g.forwardnodes)
        assert len(found.edges) == len(g.fg.edges)
        return
    modules = [node for node in g.forwardnodes if node.data.module is not None]
    made = outputs(g)
    assert set(found.labels) == {f"n_{f.place}" for f in facts(g)} | {f"out{k}" for k in range(1, len(made) + 1)}
    assert len(found.labels) == len(modules) + len(g.outnode.children)
    wanted = [
        (f"n_{place}", f"n_{fact.place}", ".".join(map(str, parts)))
        for fact in facts(g)
        for place, parts in fact.sources
        if g.forwardnodes[place - 1] is not g.innode
    ]
    wanted += [(f"n_{p}", f"out{k}", ".".join(map(str, parts))) for k, (p, parts, _) in enumerate(made, 1)]
    assert found.edges == sorted(wanted)
    assert len(found.edges) == len(expected_edges(g))


@settings(deadline=None, max_examples=15)
@given(drawings(4), drawings(4), st.integers(0, 2))
def test_edges_are_the_way_of_the_values(inner, outer, depth):
    """One graph behind the other, in frames: along every edge goes the array that arrives, and no other arrives."""
    x, n = nn.Identity()(), len(inner.outputs)
    node = inner.build()(x).annotate(name="first")
    for _ in range(depth):
        node = through(node, n)
    made = [node] if n == 1 else list(node.split(n))
    joined = made[0] if n == 1 else nn.JoinTable(2)(made)
    width = sum(inner.widths[k] for k in inner.outputs)
    seconds = [nn.Linear(width, outer.widths[k])(joined) for k in outer.inputs]
    second = outer.build()(seconds).annotate(name="second")
    g = gModule([x], [second, made[-1]])
    g.forward(bare(inner.input(1)))
    arrived: dict[Any, list[Any]] = {}
    view = View(g)
    for edge in view.edges:
        value = edge.start.fact.module.output
        for part in edge.parts:
            value = value[part - 1]
        arrived.setdefault(edge.end, []).append(value)
        assert edge.shape == shape(value)
        if edge.end.fact is not None:
            assert any(value is v for v in edge.end.fact.node.data.input)
    for box, values in arrived.items():
        inputs = box.fact.node.data.input if box.fact else g.outnode.data.input[int(box.id[3:]) - 1]
        wanted = [id(a) for a in arrays(inputs)]
        assert sorted(wanted) == sorted(id(a) for v in values for a in arrays(v))
    boxes = [leaf for box in view.boxes for leaf in box.leaves()]
    assert {box for box in boxes if box not in arrived} == {boxes[0]}
    assert render.render(picture(g, rows=3), "svg")


def through(node: Any, n: int) -> Any:
    """The node's table of n values, or its one value, through a graph that hands it on in another order."""
    xs = [nn.Identity()() for _ in range(n)]
    return gModule(xs, xs[::-1])(node)


def arrays(value: Any) -> list[Any]:
    """The arrays in nested lists."""
    return [a for v in value for a in arrays(v)] if isinstance(value, list) else [value]


def expected_edges(g: Any) -> list[tuple[Any, Any]]:
    """Who reads whom, told from the nodes' children alone: a split's parts are one with their reader."""
    found = []
    for node in g.backwardnodes:
        if node.data.module is not None or node is g.outnode:
            for child in node.children:
                while child.data.module is None and child.children:
                    child = child.children[0]
                if child.data is not g.innode.data:
                    found.append((child, node))
    return found
