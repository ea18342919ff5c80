"""The table of a network, and the multiply-adds in it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Summary, gModule, summary
from pygraphnn.counting import multiply_adds
from pygraphnn.summaries import COUNTED, WIDTH
from tests.nn.cases import MODULES
from tests.support.char_rnn import BUILDERS
from tests.support.contract import input_of, made
from tests.support.graphs import GRAPHS, cell, mlp, nested, numbers, residual
from tests.support.nested import mapped


def rows(found: Summary, kind: type) -> list[Any]:
    return [call for _, call in found.rows if type(call.module) is kind]


class TestTable:
    def test_what_is_printed(self, capsys):
        found = summary(nested(), np.ones((2, 4)))
        printed = capsys.readouterr().out
        assert printed == f"{found}\n"
        assert printed == (
            "module                   name  output  parameters  multiply-adds\n"
            "----------------------------------------------------------------\n"
            "nn.Sequential                  2 × 2\n"
            "  nn.gModule                   2 × 4\n"
            "    nn.Identity                2 × 4\n"
            "    nn.gModule                 2 × 4\n"
            "      nn.Identity              2 × 4\n"
            "      nn.Linear(4 -> 4)        2 × 4           20             32\n"
            "      nn.Tanh                  2 × 4\n"
            "      nn.CAddTable             2 × 4\n"
            "    nn.gModule                 2 × 4\n"
            "      nn.Identity              2 × 4\n"
            "      nn.Linear(4 -> 4)        2 × 4           20             32\n"
            "      nn.Tanh                  2 × 4\n"
            "      nn.CAddTable             2 × 4\n"
            "  nn.Linear(4 -> 2)            2 × 2           10             16\n"
            "----------------------------------------------------------------\n"
            "total                                          50             80\n"
        )
        assert repr(found) == "<summary: 50 parameters, 80 multiply-adds>"
        assert [depth for depth, _ in found.rows] == [0, 1, 2, 2, 3, 3, 3, 3, 2, 3, 3, 3, 3, 1]

    def test_nodes_come_in_forward_order_with_their_names(self):
        g = cell()
        found = summary(g, GRAPHS["lstm"][1])
        calls = [call for depth, call in found.rows if depth == 1]
        nodes = [node for node in g.forwardnodes if node.data.module is not None]
        assert [(call.name, call.text) for call in calls] == [
            (node.data.annotations.get("name") or "", str(node.data.module)) for node in nodes
        ]
        assert found.parameters == g.getParameters()[0].size

    def test_shared_parameters_count_once(self):
        linear = nn.Linear(3, 3)
        x = nn.Identity()()
        node = linear(x)
        node = nn.Linear(3, 3).share(linear, "weight")(linear(node))
        found = summary(gModule([x], [node]), np.ones((2, 3)))
        assert [(c.parameters, c.shared, c.multiply_adds) for c in rows(found, nn.Linear)] == [
            (12, "A, B", 18),
            (12, "A, B", 18),
            (12, "B", 18),
        ]
        assert found.parameters == 12 + 3
        assert found.multiply_adds == 3 * 18

    def test_a_module_that_is_called_twice_has_two_rows(self):
        mapped = nn.MapTable(nn.Linear(3, 2))
        found = summary(mapped, [np.ones((4, 3)), np.ones((5, 3))])
        assert [(c.output, c.multiply_adds, c.shared) for c in rows(found, nn.Linear)] == [
            ("4 × 2", 24, "A"),
            ("5 × 2", 30, "A"),
        ]
        assert found.parameters == 8
        assert mapped.size() == 1

    def test_parameters_of_a_container(self):
        found = summary(nn.WeightNorm(nn.Linear(4, 3)), np.ones((2, 4)))
        assert [c.parameters for _, c in found.rows] == [12 + 3, 3]
        assert found.parameters == 18

    def test_modules_in_fields(self):
        class Gate(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = [nn.Linear(3, 3), {"last": nn.Sigmoid()}]

            def updateOutput(self, input: Any) -> Any:
                self.output = self.inner[1]["last"].forward(self.inner[0].forward(input))
                return self.output

            def parameters(self) -> Any:
                return self.inner[0].parameters()

        found = summary(Gate(), np.ones((2, 3)))
        assert [(depth, call.text) for depth, call in found.rows] == [
            (0, "Gate"),
            (1, "nn.Linear(3 -> 3)"),
            (1, "nn.Sigmoid"),
        ]
        assert (found.parameters, found.multiply_adds) == (12, 18)

    def test_criterions_in_graphs(self):
        x, y = nn.Identity()(), nn.Identity()()
        found = summary(gModule([x, y], [nn.MSECriterion()([x, y])]), [np.ones(3), np.ones(3)])
        assert found.rows[-1][1].text == "nn.MSECriterion"
        assert found.rows[-1][1].output == "1"

    def test_a_method_replaced_on_an_instance(self):
        tanh = nn.Tanh()
        tanh.updateOutput = lambda input: np.zeros((7,))
        assert summary(tanh, np.ones(3)).rows[0][1].output == "7"

    def test_wide_tables_are_cut(self):
        x = nn.Identity()().annotate(name="a name\n" * 20)
        deep = nn.Identity()(x)
        many = nn.ConcatTable()
        for k in range(1, 6):
            many.add(nn.Linear(2, 10**k))
        sequential = nn.Sequential().add(many)
        for _ in range(20):
            sequential = nn.Sequential().add(sequential)
        text = str(summary(gModule([x], [sequential(deep)]), np.ones(2)))
        assert max(map(len, text.splitlines())) == WIDTH
        assert "…" in text
        assert "\n\n" not in text

    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.parametrize("kind", ["torch.DoubleTensor", "torch.FloatTensor"])
    def test_any_graph_in_any_type(self, name, kind):
        build, x = GRAPHS[name]
        g = build().type(kind)
        found = summary(g, mapped(lambda a: a.astype(torch7.dtype_of(kind)), x))
        assert found.parameters == sum(p.size for p in g.parameters()[0])
        assert not any(kind in str(found) for kind in ("float32", "float64"))


class TestUntouched:
    @pytest.mark.parametrize("name", GRAPHS)
    def test_graphs(self, name):
        build, x = GRAPHS[name]
        g = build()
        self.check(g, x)
        g.forward(x)
        self.check(g, x)

    @pytest.mark.parametrize("case", MODULES, ids=str)
    def test_every_module(self, case):
        self.check(made(case), input_of(case))

    def check(self, net: Any, x: Any) -> None:
        before, random = torch7.serialize([net, x]), torch7.getRNGState().copy()
        summary(net, x)
        np.testing.assert_array_equal(torch7.getRNGState(), random)
        assert torch7.serialize([net, x]) == before

    def test_the_input_of_a_module_in_place(self):
        x = -np.ones(3)
        summary(nn.ReLU(True), x)
        np.testing.assert_array_equal(x, -1)

    def test_statistics_and_weights_that_a_forward_changes(self):
        self.check(nn.Sequential().add(nn.BatchNormalization(3)), numbers(4, 3))
        self.check(nn.LookupTable(3, 2, 0, 0.1), np.array([1, 2]))
        self.check(nn.SpatialFractionalMaxPooling(2, 2, 0.5, 0.5), numbers(1, 4, 4))

    def test_nothing_else_is_printed(self, capsys):
        g = mlp()
        g.verbose = True
        found = summary(nn.Sequential().add(nn.PrintSize("x")).add(g), np.ones((2, 4)))
        assert capsys.readouterr().out == f"{found}\n"

    @pytest.mark.parametrize(
        ("net", "kind"), [(None, "nil"), (mlp().fg, "graph.Graph"), (nn.MSECriterion(), "nn.MSECriterion")]
    )
    def test_what_is_no_module(self, net, kind):
        with pytest.raises(TypeError, match=f"pygraphnn.summary: expected an nn.Module, got a {kind}$"):
            summary(net, np.ones(2))

    def test_errors_are_those_of_the_network(self):
        g, state = mlp(), torch7.getRNGState().copy()
        with pytest.raises(ValueError, match="expected 4 input columns"):
            summary(g, np.ones((2, 5)))
        np.testing.assert_array_equal(torch7.getRNGState(), state)


def loops(*sizes: int) -> int:
    """How often the innermost statement of nested loops is run."""
    return prod(sizes)


SPARSE = [np.array([[1.0, 1], [3, 1]]), np.array([[2.0, 1], [2, 1], [4, 1]])]
KEYS = [[np.array([1, 3]), np.array([2])], [np.ones(2), np.ones(1)]]
PARTIAL = nn.PartialLinear(4, 6)
PARTIAL.setPartition(np.array([2, 5]))
TABLE = np.array([[1.0, 1], [1, 2], [2, 2], [3, 2], [3, 3]])

COUNTS: list[tuple[Any, Any, int]] = [
    # (module, input, loops over: samples, outputs, positions, and what each element is a sum of)
    (nn.Linear(4, 3), numbers(4), loops(3, 4)),
    (nn.Linear(4, 3), numbers(5, 4), loops(5, 3, 4)),
    (nn.Linear(4, 3, False), numbers(5, 4), loops(5, 3, 4)),
    (nn.LinearWeightNorm(4, 3), numbers(5, 4), loops(5, 3, 4)),
    (nn.Bilinear(4, 3, 2), [numbers(5, 4), numbers(5, 3)], loops(5, 2, 4, 3) + loops(5, 2, 4)),
    (PARTIAL, numbers(5, 4), loops(5, 2, 4)),
    (nn.SparseLinear(4, 3), SPARSE, loops(5, 3)),
    (nn.SparseLinear(4, 3), SPARSE[0], loops(2, 3)),
    (nn.SparseLinear(4, 3), np.stack([SPARSE[0]] * 4), loops(4, 2, 3)),
    (nn.IndexLinear(4, 3), KEYS, loops(3, 3)),
    (nn.IndexLinear(4, 3, False, None, None, None, True), KEYS, loops(3, 3)),
    (nn.IndexLinear(4, 3), [np.array([1, 3]), np.ones(2)], loops(2, 3)),
    (nn.IndexLinear(4, 3), [np.array([1, 3, 2]), np.ones(3), np.array([2, 1])], loops(3, 3)),
    (nn.Maxout(4, 3, 2), numbers(5, 4), loops(5, 6, 4)),
    (nn.Cosine(4, 3), numbers(5, 4), loops(5, 3, 4)),
    (nn.Euclidean(4, 3), numbers(5, 4), loops(5, 3, 4)),
    (nn.WeightedEuclidean(4, 3), numbers(5, 4), loops(5, 3, 4)),
    (nn.Kmeans(3, 4), numbers(5, 4), loops(5, 3, 4)),
    (nn.MM(), [numbers(3, 4), numbers(4, 5)], loops(3, 5, 4)),
    (nn.MM(True, False), [numbers(4, 3), numbers(4, 5)], loops(3, 5, 4)),
    (nn.MM(True, True), [numbers(2, 4, 3), numbers(2, 5, 4)], loops(2, 3, 5, 4)),
    (nn.MV(), [numbers(2, 3, 4), numbers(2, 4)], loops(2, 3, 4)),
    (nn.MV(True), [numbers(3, 4), numbers(3)], loops(3, 4)),
    (nn.DotProduct(), [numbers(5, 4), numbers(5, 4)], loops(5, 4)),
    (nn.CosineDistance(), [numbers(5, 4), numbers(5, 4)], loops(5, 4)),
    (nn.MixtureTable(), [numbers(5, 3), [numbers(5, 4)] * 3], loops(5, 4, 3)),
    (nn.MixtureTable(), [numbers(5, 3), numbers(5, 3, 4)], loops(5, 4, 3)),
    (nn.TemporalConvolution(4, 3, 2, 2), numbers(2, 7, 4), loops(2, 3, 3, 2, 4)),
    (nn.TemporalRowConvolution(4, 2), numbers(2, 7, 4), loops(2, 6, 4, 2)),
    (nn.TemporalRowConvolution(4, 2, 1, True), numbers(2, 4, 7), loops(2, 6, 4, 2)),
    (nn.TemporalSubSampling(4, 3), numbers(7, 4), loops(5, 4, 3)),
    (nn.SpatialConvolution(2, 3, 3, 2), numbers(5, 2, 6, 7), loops(5, 3, 5, 5, 2, 2, 3)),
    (nn.SpatialConvolution(2, 3, 3, 2, 2, 1, 1, 1), numbers(2, 6, 7), loops(3, 7, 4, 2, 2, 3)),
    (nn.SpatialConvolution(2, 3, 3, 2).noBias(), numbers(2, 6, 7), loops(3, 5, 5, 2, 2, 3)),
    (nn.SpatialConvolutionMM(2, 3, 3, 2), numbers(5, 2, 6, 7), loops(5, 3, 5, 5, 2, 2, 3)),
    (nn.SpatialDilatedConvolution(2, 3, 3, 2, 1, 1, 0, 0, 2, 2), numbers(2, 6, 7), loops(3, 4, 3, 2, 2, 3)),
    (nn.SpatialDepthWiseConvolution(2, 3, 3, 2), numbers(5, 2, 6, 7), loops(5, 6, 5, 5, 2, 3)),
    (nn.SpatialFullConvolution(2, 3, 3, 2, 2, 2), numbers(5, 2, 6, 7), loops(5, 2, 6, 7, 3, 2, 3)),
    (nn.SpatialFullConvolution(2, 3, 3, 2, 2, 2), [numbers(2, 6, 7), numbers(3, 13, 16)], loops(2, 6, 7, 3, 2, 3)),
    (nn.SpatialConvolutionLocal(2, 3, 7, 6, 3, 2), numbers(5, 2, 6, 7), loops(5, 3, 5, 5, 2, 2, 3)),
    (nn.SpatialConvolutionMap(TABLE, 3, 2), numbers(5, 3, 6, 7), loops(5, len(TABLE), 5, 5, 2, 3)),
    (nn.SpatialFullConvolutionMap(TABLE, 3, 2), numbers(3, 6, 7), loops(len(TABLE), 6, 7, 2, 3)),
    (nn.SpatialSubSampling(2, 3, 2), numbers(5, 2, 6, 7), loops(5, 2, 5, 5, 2, 3)),
    (nn.VolumetricConvolution(2, 3, 2, 3, 2), numbers(5, 2, 4, 6, 7), loops(5, 3, 3, 5, 5, 2, 2, 2, 3)),
    (
        nn.VolumetricDilatedConvolution(2, 3, 2, 3, 2, 1, 1, 1, 0, 0, 0, 2, 2, 2),
        numbers(2, 4, 6, 7),
        loops(3, 2, 4, 3, 2, 2, 2, 3),
    ),
    (nn.VolumetricFullConvolution(2, 3, 2, 3, 2), numbers(5, 2, 4, 6, 7), loops(5, 2, 4, 6, 7, 3, 2, 2, 3)),
    (nn.SpatialSubtractiveNormalization(2, np.ones((3, 5))), numbers(4, 2, 6, 7), loops(4, 6, 7, 2, 3, 5)),
    (
        nn.SpatialDivisiveNormalization(2, np.ones(3)),
        numbers(4, 2, 6, 7),
        loops(4, 2, 8, 7, 3) + loops(4, 6, 7, 2, 3),
    ),
    (nn.SpatialContrastiveNormalization(2, np.ones((3, 3))), numbers(2, 6, 7), 2 * loops(6, 7, 2, 3, 3)),
    (nn.WeightNorm(nn.SpatialConvolution(2, 3, 3, 2)), numbers(5, 2, 6, 7), loops(5, 3, 5, 5, 2, 2, 3)),
    (nn.Bottle(nn.Linear(4, 3)), numbers(2, 5, 4), loops(2, 5, 3, 4)),
    (nn.Sequential().add(nn.Tanh()).add(nn.SoftMax()), numbers(5, 4), 0),
]


@pytest.mark.parametrize(("module", "x", "count"), COUNTS, ids=lambda v: str(v).split("\n")[0][:40])
def test_multiply_adds(module, x, count):
    found = summary(module, x)
    assert found.multiply_adds == count
    assert type(found.multiply_adds) is int


# Matrices of weights that are no factors of a product: looked up, or multiplied element by element.
OTHERS = (nn.LookupTable, nn.CMul, nn.CAdd, nn.Add)


@pytest.mark.parametrize("case", MODULES, ids=str)
def test_every_class_with_a_matrix_of_weights_is_counted(case):
    module = made(case)
    if isinstance(module, nn.Container) or not isinstance(module.weight, np.ndarray) or module.weight.ndim < 2:
        return
    counted = multiply_adds.dispatch(type(module)) is not COUNTED
    assert counted is not isinstance(module, OTHERS)


def test_every_convolution_is_counted():
    names = [name for name in nn.__all__ if "Convolution" in name or "Linear" in name or "SubSampling" in name]
    others = {"GatedLinearUnit", "SpatialUpSamplingBilinear", "Bilinear"}
    for name in set(names) - others:
        assert multiply_adds.dispatch(getattr(nn, name)) is not COUNTED, name


@pytest.mark.parametrize("name", BUILDERS)
def test_char_rnn(name):
    """The products of the matrices W and U of each layer, and the decoder's."""
    batch, chars, size, layers = 3, 7, 5, 2
    net = BUILDERS[name](chars, size, layers)
    sums = {"lstm": 4, "gru": 3, "rnn": 1}[name]
    states = 4 if name == "lstm" else 2
    found = summary(net, [np.array([1, 2, 3]), *[np.zeros((batch, size))] * states])
    each = sums * batch * size
    assert found.multiply_adds == each * (chars + size) + each * (size + size) + batch * size * chars
    assert found.parameters == net.getParameters()[0].size


def test_a_class_of_ones_own():
    class Attention(nn.Module):
        def updateOutput(self, input: Any) -> Any:
            self.output = input @ input.T
            return self.output

    x = nn.Identity()()
    net = gModule([x], [residual(3)(Attention()(x))])
    assert summary(net, np.ones((3, 3))).multiply_adds == 27

    @multiply_adds.register(Attention)
    def _(module: Any, input: Any, output: Any) -> int:
        return output.size * input.shape[1]

    assert summary(net, np.ones((3, 3))).multiply_adds == 54
