"""SequenceWriter and beam_search against their definitions, on small networks."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import BeamSearch, SequenceWriter, beam_search

from ..support.char_rnn import BUILDERS

SIZE, HIDDEN = 5, 4


def char_rnn(kind: str = "lstm", scale: float = 1.5, dtype: type = np.float64, dropout: float = 0) -> Any:
    torch7.manualSeed(7)
    step = BUILDERS[kind](SIZE, HIDDEN, 2, dropout)
    params, _ = step.getParameters()
    torch7.uniform_(params, -scale, scale)
    return step.float() if dtype == np.float32 else step


def zeros(rows: int, kind: str = "lstm", dtype: type = np.float64) -> list[np.ndarray]:
    return [np.zeros((rows, HIDDEN), dtype) for _ in range(4 if kind == "lstm" else 2)]


def writer(rows: int = 1, kind: str = "lstm", generator: Any = None, dtype: type = np.float64) -> SequenceWriter:
    return SequenceWriter(char_rnn(kind, dtype=dtype), zeros(rows, kind, dtype), SIZE, generator)


def seeded(seed: int) -> torch7.Generator:
    generator = torch7.Generator()
    torch7.manualSeed(generator, seed)
    return generator


def predictions(indices: list[int], kind: str = "lstm") -> np.ndarray:
    """What the network predicts after each of the indices, from states that are copied."""
    step, states, rows = char_rnn(kind), zeros(1, kind), []
    for index in indices:
        *states, prediction = [a.copy() for a in step.forward([np.array([index]), *states])]
        rows.append(prediction[0])
    return np.array(rows)


def fixed(*rows: list[float]) -> SequenceWriter:
    """A writer of one sequence that predicts rows[i - 1] after index i."""
    x, s = nn.Identity()(), nn.Identity()()
    table = nn.LookupTable(len(rows), len(rows[0]))
    with np.errstate(divide="ignore"):
        table.weight[...] = np.log(rows)
    step = pygraphnn.gModule([x, s], [nn.Identity()(s), table(x)])
    return SequenceWriter(step, [np.zeros((1, 1))], len(rows[0]))


class TestReading:
    @pytest.mark.parametrize("kind", list(BUILDERS))
    def test_predicts_as_the_network_and_sums_log_probabilities(self, kind: str) -> None:
        indices = [2, 5, 1, 1]
        reader = writer(kind=kind)
        np.testing.assert_allclose(reader.prediction, np.full((1, SIZE), -math.log(SIZE)))
        for index in indices:
            reader.read(index)
        expected = predictions(indices, kind)
        np.testing.assert_allclose(reader.prediction[0], expected[-1], rtol=1e-12)
        total = -math.log(SIZE) + sum(row[i - 1] for row, i in zip(expected, indices[1:]))
        assert reader.log_probability == [pytest.approx(total, rel=1e-12)]
        assert type(reader.log_probability[0]) is float

    def test_sequences_side_by_side(self) -> None:
        reader = writer(2)
        for indices in ([1, 4], [3, 3], [5, 2]):
            reader.read(indices)
        np.testing.assert_allclose(reader.prediction[0], predictions([1, 3, 5])[-1], rtol=1e-12)
        np.testing.assert_allclose(reader.prediction[1], predictions([4, 3, 2])[-1], rtol=1e-12)

    def test_a_network_that_reads_a_state_after_making_the_next(self) -> None:
        x, s = nn.Identity()(), nn.Identity()()
        later = nn.AddConstant(1)(s)
        scores = nn.CAddTable()([nn.LookupTable(2, 2)(x), nn.CMulTable()([s, later])])
        step = pygraphnn.gModule([x, s], [later, nn.LogSoftMax()(scores)])
        start = np.array([[0.5, -1.0]])
        reader = SequenceWriter(step, [start], 2)
        for _ in range(3):
            reader.read(1)
        np.testing.assert_array_equal(start, [[0.5, -1.0]])
        np.testing.assert_array_equal(reader.states[0], [[3.5, 2.0]])
        expected = step.forward([np.array([1]), np.array([[2.5, 1.0]])])[1]
        np.testing.assert_array_equal(reader.prediction, expected)

    def test_puts_the_network_into_evaluate_mode(self) -> None:
        step = char_rnn(dropout=0.5)
        step.training()
        SequenceWriter(step, zeros(1), SIZE)
        assert not step.train

    @pytest.mark.parametrize("index", [0, -1, SIZE + 1])
    def test_refuses_an_index_that_is_none(self, index: int) -> None:
        with pytest.raises(IndexError, match=rf"SequenceWriter.read: expected indices from 1 to 5, got {index}"):
            writer().read(index)

    def test_refuses_a_step_of_another_form(self) -> None:
        with pytest.raises(ValueError, match=r"expected the step to give 2 states .* shape \(1, 5\), got 4 states"):
            SequenceWriter(Other(), zeros(1)[:2], SIZE).read(1)
        with pytest.raises(ValueError, match=r"log-probabilities of shape \(1, 6\), got 4 states and shape \(1, 5\)"):
            SequenceWriter(char_rnn(), zeros(1), 6).read(1)


class Other:
    """A step that gives four states whatever it is given."""

    def evaluate(self) -> None:
        pass

    def forward(self, _: Any) -> list[np.ndarray]:
        return [*zeros(1), np.zeros((1, SIZE))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 5), r"expected states with a first dimension in common, got shapes \[\]"),
        (([np.zeros((1, 2)), np.zeros((2, 2))], 5), r"a first dimension in common, got shapes \[\(1, 2\), \(2, 2\)\]"),
        (([np.zeros(())], 5), r"a first dimension in common, got shapes \[\(\)\]"),
        ((zeros(2), 0), "expected a size from 1 on, got 0"),
        ((zeros(2), 2.5), "expected a whole number as size, got 2.5"),
        ((zeros(2), 5, [seeded(1)]), "expected one generator or 2, one for each sequence, got 1"),
    ],
)
def test_refuses_to_be_made(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"pygraphnn.SequenceWriter: .*{message}"):
        SequenceWriter(char_rnn(), *arguments)


class TestDrawing:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("temperature", [1, 0.6, 3])
    def test_is_multinomial_of_probabilities(self, temperature: float, dtype: type) -> None:
        generated = list(writer(generator=seeded(3), dtype=dtype).generate(50, temperature))
        other, generator = writer(dtype=dtype), seeded(3)
        for index in generated:
            probs = np.exp(other.prediction / dtype(temperature))
            probs /= dtype(probs.sum(dtype=np.float64))
            np.testing.assert_allclose(other.probabilities(temperature), probs, rtol=1e-6)
            assert torch7.multinomial(generator, probs[0].astype(np.float32), 1).tolist() == index
            other.read(index)
        assert {type(i) for index in generated for i in index} == {int}

    @pytest.mark.parametrize("how", [{}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.7}, {"temperature": 0}])
    def test_a_sequence_does_not_depend_on_those_beside_it(self, how: dict[str, float]) -> None:
        together = writer(3, generator=[seeded(s) for s in (11, 12, 13)])
        columns = np.transpose(list(together.generate(60, **how))).tolist()
        for seed, column, log_probability in zip((11, 12, 13), columns, together.log_probability):
            alone = writer(generator=seeded(seed))
            assert [i for (i,) in alone.generate(60, **how)] == column
            assert alone.log_probability == [pytest.approx(log_probability, rel=1e-12)]

    def test_from_one_generator_row_by_row(self) -> None:
        default_writer = writer(3)
        torch7.manualSeed(5)
        default = list(default_writer.generate(20))
        assert list(writer(3, generator=seeded(5)).generate(20)) == default
        many, generator = writer(3), seeded(5)
        for indices in default:
            drawn = torch7.multinomial(generator, many.probabilities().astype(np.float32), 1)
            assert drawn[:, 0].tolist() == indices
            many.read(indices)

    @pytest.mark.parametrize("rows", [1, 3])
    def test_temperature_0_takes_the_most_likely(self, rows: int) -> None:
        cold = writer(rows)
        for indices in cold.generate(30, temperature=0):
            assert set(indices) == {indices[0]}
        expected, argmax = writer(), []
        for _ in range(30):
            argmax.append(int(expected.prediction.argmax()) + 1)
            expected.read(argmax[-1])
        again = writer(rows)
        assert [indices[0] for indices in again.generate(30, temperature=0)] == argmax
        np.testing.assert_array_equal(again.probabilities(0).argmax(1), again.prediction.argmax(1))
        np.testing.assert_array_equal(again.probabilities(0).sum(1), np.ones(rows))

    @pytest.mark.parametrize("rows", [1, 2])
    @pytest.mark.parametrize("temperature", [1e-3, 1e-5, 1e-60, 1e-320])
    def test_near_0_is_near_the_most_likely(self, rows: int, temperature: float) -> None:
        cold = writer(rows)
        cold.read(2)
        np.testing.assert_allclose(cold.probabilities(temperature), cold.probabilities(0), atol=1e-9)

    def test_infinite_temperature_is_uniform(self) -> None:
        hot = writer()
        hot.read(2)
        np.testing.assert_allclose(hot.probabilities(math.inf), np.full((1, SIZE), 1 / SIZE))

    @pytest.mark.parametrize("how", [{}, {"temperature": 0}, {"temperature": 1e-9}])
    @pytest.mark.parametrize("rows", [1, 2])
    def test_a_network_that_predicts_nan(self, how: dict[str, float], rows: int) -> None:
        broken = writer(rows)
        broken.prediction[-1, 0] = np.nan
        with pytest.raises(FloatingPointError, match="SequenceWriter: the network predicts NaN"):
            next(broken.generate(1, **how))

    @pytest.mark.parametrize(
        ("how", "message"),
        [
            ({"temperature": -1}, "expected a temperature from 0 on, got -1"),
            ({"temperature": math.nan}, "expected a temperature from 0 on, got nan"),
            ({"top_k": 0}, "expected a top_k from 1 on, got 0"),
            ({"top_k": 1.5}, "expected a whole number as top_k, got 1.5"),
            ({"top_p": 0}, "expected a top_p greater than 0 and at most 1, got 0"),
            ({"top_p": 1.1}, "expected a top_p greater than 0 and at most 1, got 1.1"),
        ],
    )
    def test_refuses(self, how: dict[str, float], message: str) -> None:
        with pytest.raises(ValueError, match=f"pygraphnn.SequenceWriter.generate: {message}"):
            writer().generate(1, **how)
        with pytest.raises(ValueError, match=f"pygraphnn.SequenceWriter.probabilities: {message}"):
            writer().probabilities(**how)


class TestTop:
    @pytest.mark.parametrize(
        ("how", "kept"),
        [
            ({"top_k": 1}, [0, 1, 0, 0]),
            ({"top_k": 2}, [0.25, 0.5, 0, 0]),  # of equals the first
            ({"top_k": 3}, [0.25, 0.5, 0.25, 0]),
            ({"top_k": 9}, [0.25, 0.5, 0.25, 0]),
            ({"top_p": 0.5}, [0, 1, 0, 0]),
            ({"top_p": 0.51}, [0.25, 0.5, 0, 0]),
            ({"top_p": 0.75}, [0.25, 0.5, 0, 0]),
            ({"top_p": 1e-9}, [0, 1, 0, 0]),
            ({"top_p": 0.8}, [0.25, 0.5, 0.25, 0]),
            ({"top_p": 0.6, "top_k": 2}, [0, 1, 0, 0]),  # 0.5 is 2/3 of what top_k leaves
            ({"top_p": 0.7, "top_k": 2}, [0.25, 0.5, 0, 0]),
        ],
    )
    def test_keeps(self, how: dict[str, float], kept: list[float]) -> None:
        w = fixed([0.25, 0.5, 0.25, 0])
        w.read(1)
        np.testing.assert_allclose(w.probabilities(**how), [np.array(kept) / sum(kept)], rtol=1e-15)

    def test_comes_after_the_temperature(self) -> None:
        w = fixed([0.1, 0.3, 0.6])
        w.read(1)
        hot = np.sqrt([0.1, 0.3, 0.6])
        np.testing.assert_allclose(w.probabilities(2, top_p=0.75), [[0, *hot[1:] / hot[1:].sum()]], rtol=1e-14)
        np.testing.assert_array_equal(w.probabilities(0.5, top_p=0.75), [[0, 0, 1]])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_each_row_on_its_own(self, dtype: type) -> None:
        w = writer(2, dtype=dtype)
        w.read([1, 4])
        probs = w.probabilities(top_k=2)
        assert probs.dtype == dtype
        order = np.argsort(-w.prediction, 1)
        for row, best in zip(probs, order):
            assert set(np.flatnonzero(row)) == set(best[:2])
        np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-6)

    def test_draws_nothing_else(self) -> None:
        w = fixed([0.25, 0.5, 0.25, 0], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [1, 0, 0, 0])
        w.read(2)
        followers: dict[int, set[int]] = {}
        last = 2
        for (index,) in w.generate(400, top_k=2):
            followers.setdefault(last, set()).add(index)
            last = index
        assert followers == {2: {3, 4}, 3: {1, 2}, 1: {1, 2}, 4: {1}}


def every(length: int, kind: str) -> list[tuple[list[int], float]]:
    """All sequences after the index 3 with their log-probabilities, the most likely first."""
    found = []
    for sequence in itertools.product(range(1, SIZE + 1), repeat=length):
        rows = predictions([3, *sequence[:-1]], kind)
        found.append((list(sequence), float(sum(row[i - 1] for row, i in zip(rows, sequence)))))
    return sorted(found, key=lambda pair: -pair[1])


class TestBeamSearch:
    @pytest.mark.parametrize("kind", list(BUILDERS))
    def test_with_a_wide_beam_is_exhaustive(self, kind: str) -> None:
        w = writer(kind=kind)
        w.read(3)
        expected = every(3, kind)
        for width, count in ((SIZE**3, SIZE**3), (SIZE**2, SIZE**2), (10**6, SIZE**3)):
            found = beam_search(w, 3, width)
            assert [sequence for sequence, _ in found] == [sequence for sequence, _ in expected[:count]]
            np.testing.assert_allclose([x for _, x in found], [x for _, x in expected[:count]], rtol=1e-12)

    @pytest.mark.parametrize("width", [2, 3])
    def test_is_what_its_definition_says(self, width: int) -> None:
        w = writer()
        w.read(3)
        beams: list[tuple[list[int], float]] = [([], 0.0)]
        for _ in range(6):
            longer = []
            for sequence, total in beams:
                row = predictions([3, *sequence])[-1]
                longer += [([*sequence, i], total + row[i - 1]) for i in range(1, SIZE + 1)]
            beams = sorted(longer, key=lambda pair: -pair[1])[:width]
        found = beam_search(w, 6, width)
        assert [sequence for sequence, _ in found] == [sequence for sequence, _ in beams]
        np.testing.assert_allclose([x for _, x in found], [x for _, x in beams], rtol=1e-12)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("kind", list(BUILDERS))
    def test_of_width_1_takes_the_most_likely(self, kind: str, dtype: type) -> None:
        w = writer(kind=kind, dtype=dtype)
        w.read(2)
        before = w.log_probability[0]
        ((sequence, log_probability),) = beam_search(w, 100, 1)
        assert sequence == [i for (i,) in w.generate(100, temperature=0)]
        assert log_probability == pytest.approx(w.log_probability[0] - before, rel=1e-12)
        assert (type(sequence[0]), type(log_probability)) == (int, float)

    def test_finds_what_the_most_likely_steps_miss(self) -> None:
        w = fixed([0.55, 0.45], [0.1, 0.9])
        w.read(1)
        found = [beam_search(w, 2, width)[0] for width in (1, 2)]
        assert [sequence for sequence, _ in found] == [[1, 1], [2, 2]]
        assert [math.exp(x) for _, x in found] == pytest.approx([0.55**2, 0.45 * 0.9])

    def test_of_equals_the_first(self) -> None:
        w = fixed([0.5, 0.5], [0.5, 0.5])
        assert [sequence for sequence, _ in beam_search(w, 2, 3)] == [[1, 1], [1, 2], [2, 1]]

    def test_what_cannot_be_has_no_probability(self) -> None:
        w = fixed([0, 1], [0.5, 0.5])
        w.read(1)
        found = beam_search(w, 2, 4)
        assert found[:2] == [([2, 1], pytest.approx(math.log(0.5))), ([2, 2], pytest.approx(math.log(0.5)))]
        assert [x for _, x in found[2:]] == [-math.inf, -math.inf]

    def test_leaves_the_writer_as_it_is(self) -> None:
        w = writer()
        w.read(3)
        before = [a.copy() for a in (*w.states, w.prediction)]
        first = beam_search(w, 5, 4)
        for old, now in zip(before, (*w.states, w.prediction)):
            np.testing.assert_array_equal(old, now)
        assert beam_search(w, 5, 4) == first

    def test_does_not_feel_the_writer_go_on(self) -> None:
        w = writer()
        w.read(3)
        alone, search = beam_search(w, 5, 4), BeamSearch(w, 4)
        for _ in range(5):
            w.read(1)
            search.advance()
        assert search.found() == alone
        undisturbed = writer()
        for index in (3, 1, 1, 1, 1, 1):
            undisturbed.read(index)
        np.testing.assert_array_equal(w.prediction, undisturbed.prediction)

    def test_step_by_step(self) -> None:
        w = writer()
        search = BeamSearch(w, 3)
        assert search.found() == [([], 0.0)]
        for length in range(1, 4):
            search.advance()
            assert search.found() == beam_search(w, length, 3)
        assert beam_search(w, 0, 3) == [([], 0.0)]

    def test_a_network_that_predicts_nan(self) -> None:
        for value in (np.nan, -np.inf):
            w = writer()
            w.prediction[...] = value
            with pytest.raises(FloatingPointError, match="the network predicts NaN"):
                beam_search(w, 1, 2)

    def test_refuses(self) -> None:
        with pytest.raises(ValueError, match=r"pygraphnn.BeamSearch: expected a width from 1 on, got 0"):
            beam_search(writer(), 3, 0)
        with pytest.raises(ValueError, match=r"pygraphnn.BeamSearch: expected a whole number as width, got 1.5"):
            BeamSearch(writer(), 1.5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"pygraphnn.BeamSearch: expected a writer of one sequence, got one of 2"):
            beam_search(writer(2), 3, 1)
