"""Loss and gradient averaged over ranks, which here are threads."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

import optim
import torch7
from pygraphnn import distributed
from pygraphnn.distributed import PLACES, Alone, Parted, exchange, known

from ..support.mpi import Threads, as_threads

# `pygraphnn.distributed` is the class; this is the file
MODULE: Any = sys.modules["pygraphnn.distributed"]


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: Any) -> None:
    """The end of the tests is not told to threads."""
    monkeypatch.setattr(MODULE, "_watch", lambda _: None)


N, ROWS = 6, 4
DATA = np.random.default_rng(1).standard_normal((3, ROWS, N))


def bowl(rows: np.ndarray, dtype: Any = np.float64) -> Any:
    """The mean over rows a of log cosh(x - a) + |x - a|^2 / 2, and its gradient in one array."""
    gradient = np.zeros(N, dtype)

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        d = x - rows.astype(dtype)
        gradient[...] = (np.tanh(d) + d).mean(0)
        return float((np.log(np.cosh(d)) + d * d / 2).sum(1).mean()), gradient

    return opfunc


def mean(opfuncs: list[Any], dtype: Any) -> Any:
    """The mean of functions, with the sums that the ranks take; one alone is as it is."""

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = zip(*(opfunc(x) for opfunc in opfuncs))
        total = np.sum([np.array(f, dtype)], axis=1, dtype=dtype)[0]
        return float(total) / len(f), np.sum(g, axis=0, dtype=dtype) / dtype(len(f))

    return opfunc if len(opfuncs) > 1 else opfuncs[0]


METHODS = {
    "sgd": {"learningRate": 0.1, "momentum": 0.5},
    "nag": {"learningRate": 0.1, "momentum": 0.5},
    "asgd": {"eta0": 0.1},
    "adam": {"learningRate": 0.1},
    "adamax": {"learningRate": 0.1},
    "adadelta": {},
    "adagrad": {"learningRate": 0.1},
    "rmsprop": {"learningRate": 0.1},
    "rprop": {},
    "cg": {"maxIter": 5},
    "lbfgs": {"maxIter": 5},
    "lbfgs with a line search": {"maxIter": 5, "lineSearch": optim.lswolfe},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_optimizer_steps_as_with_the_mean_in_one_process(method: str, size: int, dtype: Any) -> None:
    """In all bits, since sums are taken in the same order."""
    optimizer, steps = getattr(optim, method.split()[0]), 4

    def train(opfunc: Any, x: np.ndarray) -> tuple[np.ndarray, list[float]]:
        state, losses = dict(METHODS[method]), []
        if "lineSearch" in state:  # which wants a new gradient every time
            inner, opfunc = opfunc, lambda x: (lambda f, g: (f, g.copy()))(*inner(x))
        for _ in range(steps):
            losses += optimizer(opfunc, x, state)[1]
        return x, losses

    expected, losses = train(mean([bowl(rows, dtype) for rows in DATA[:size]], dtype), np.zeros(N, dtype))
    results, _ = as_threads(
        size, lambda comm: train(distributed(bowl(DATA[comm.rank], dtype), comm), np.full(N, comm.rank, dtype))
    )
    for x, f in results:
        assert x.dtype == dtype
        np.testing.assert_array_equal(x, expected)
        assert f == losses


def test_the_mean_of_ranks_is_that_of_all_the_data() -> None:
    x = np.linspace(-1, 1, N)
    expected, gradient = bowl(DATA.reshape(-1, N))(x)
    for f, g in as_threads(3, lambda comm: distributed(bowl(DATA[comm.rank]), comm)(x.copy()))[0]:
        np.testing.assert_allclose(f, expected, rtol=1e-14)
        np.testing.assert_allclose(g, gradient, rtol=1e-13)


def test_fista() -> None:
    def minimize(wrap: Any, rows: np.ndarray) -> np.ndarray:
        opfunc = wrap(lambda x, *what: bowl(rows)(x) if what == ("dx",) else bowl(rows)(x)[0])
        shrink = lambda x, L: np.copyto(x, np.sign(x) * np.maximum(abs(x) - 0.1 / L, 0))  # noqa: E731
        return optim.FistaLS(opfunc, lambda x: 0.1 * abs(x).sum(), shrink, np.zeros(N), {"maxiter": 5})[0].copy()

    expected = minimize(lambda f: f, DATA[:2].reshape(-1, N))
    results, _ = as_threads(2, lambda comm: minimize(lambda f: distributed(f, comm), DATA[comm.rank]))
    for x in results:
        np.testing.assert_allclose(x, expected, rtol=1e-12)
    assert np.abs(expected).sum() > 0


class TestCalls:
    def test_one_allreduce_a_step_in_the_same_buffers(self) -> None:
        def run(comm: Threads) -> Any:
            x, g = np.ones((2, 3)), np.zeros((2, 3))
            opfunc = distributed(lambda x: (comm.rank, g), comm)
            results = [opfunc(x) for _ in range(3)]
            assert all(gradient is g for _, gradient in results)
            return [f for f, _ in results], opfunc._mine

        results, calls = as_threads(2, run)
        assert calls == [("allgather", 1), ("Bcast", 6), *[("Allreduce", 6 + PLACES)] * 3]
        assert [f for f, _ in results] == [[0.5] * 3] * 2

    def test_x_is_made_the_same_at_once_where_it_is_given(self) -> None:
        def run(comm: Threads) -> np.ndarray:
            x = np.asfortranarray(np.arange(6.0).reshape(2, 3) + comm.rank)
            distributed(bowl(DATA[0]), comm, x)
            return x

        (a, b), calls = as_threads(2, run)
        assert calls == [("allgather", 1), ("Bcast", 6)]
        assert a.tolist() == b.tolist() == [[0, 1, 2], [3, 4, 5]]

    def test_a_gradient_that_is_a_view(self) -> None:
        def run(comm: Threads) -> Any:
            whole = np.zeros((3, 4))
            gradient = whole.T[:2]
            gradient[...] = comm.rank
            return distributed(lambda x: (np.array([2.0]), gradient), comm)(np.zeros((2, 3))), whole

        for (f, g), whole in as_threads(2, run)[0]:
            assert (f, g.tolist(), whole.sum()) == (2.0, [[0.5] * 3] * 2, 3.0)
            assert type(f) is float

    def test_one_process_calls_opfunc_itself(self) -> None:
        result = ("anything", None)
        opfunc = distributed(lambda x, *more: (*result, x, *more), Alone())
        assert opfunc(3, 4) == ("anything", None, 3, 4)
        assert opfunc.allgather({}) == [{}]
        assert (opfunc.rank, opfunc.size, opfunc.stopped) == (0, 1, False)
        opfunc.stop()
        assert opfunc.stopped

    def test_allgather(self) -> None:
        def run(comm: Threads) -> Any:
            opfunc = distributed(bowl(DATA[0]), comm)
            before = opfunc.allgather(comm.rank)
            opfunc(np.zeros(N))
            return before, opfunc.allgather("abc"[comm.rank])

        assert as_threads(3, run)[0] == [([0, 1, 2], ["a", "b", "c"])] * 3

    def test_stop_is_known_to_all_after_the_same_step(self) -> None:
        def run(comm: Threads) -> list[bool]:
            opfunc, x, seen = distributed(bowl(DATA[0]), comm), np.zeros(N), []
            for step in range(4):
                if (step, comm.rank) == (2, 1):
                    opfunc.stop()
                    assert not opfunc.stopped
                opfunc(x)
                seen.append(opfunc.stopped)
            return seen

        assert as_threads(2, run)[0] == [[False, False, True, True]] * 2

    @pytest.mark.parametrize("f", [math.nan, math.inf, -math.inf, 1e300])
    def test_what_is_not_finite_on_one_rank_is_so_on_all(self, f: float) -> None:
        def run(comm: Threads) -> Any:
            g = np.zeros(2, np.float32)
            g[0] = min(f, 1e38) if comm.rank else 1
            return distributed(lambda x: (f if comm.rank else 1.0, g), comm)(np.zeros(2, np.float32))

        results, _ = as_threads(2, run)
        for mean, gradient in results:
            assert not math.isfinite(mean)
            assert np.isfinite(gradient).tolist() == [f == 1e300 or f == math.inf, True]

    def test_optimizers_tell_of_nan_on_all_ranks(self) -> None:
        def run(comm: Threads) -> Any:
            g = np.array([math.nan if comm.rank else 1.0, 2.0])
            return optim.sgd(distributed(lambda x: (1.0, g), comm), np.zeros(2))

        for error in as_threads(2, run)[0]:
            assert isinstance(error, FloatingPointError)
            assert "the gradient has 1 NaN of 2 elements" in str(error)


class Peculiar(Exception):
    """An error that cannot be made from its arguments again."""

    def __init__(self, a: int, b: int):
        super().__init__(f"{a} and {b}")


class TestErrors:
    def raised(self, size: int, opfunc: Any, x: Any = None) -> list[Any]:
        """What a run raises, on ranks that would go on for three steps."""

        def run(comm: Threads) -> None:
            wrapped = distributed(lambda x: opfunc(comm.rank, x), comm)
            for _ in range(3):
                wrapped(np.zeros(3) if x is None else x(comm.rank))

        return as_threads(size, run)[0]

    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, FloatingPointError, SystemExit])
    def test_one_rank_fails_and_all_raise_its_error(self, kind: type[BaseException]) -> None:
        def opfunc(rank: int, x: np.ndarray) -> Any:
            if rank == 1:
                raise kind("bad row")
            return 1.0, x

        for error in self.raised(3, opfunc):
            assert (type(error), str(error), error.__notes__) == (kind, "bad row", ["on rank 1 of 3"])
            assert known(error)

    def test_each_of_those_that_fail_raises_its_own(self) -> None:
        def opfunc(rank: int, x: np.ndarray) -> Any:
            if rank:
                raise ValueError(f"row {rank}")
            return 1.0, x

        assert [str(error) for error in self.raised(3, opfunc)] == ["row 1", "row 1", "row 2"]

    def test_an_error_that_cannot_be_sent(self) -> None:
        def opfunc(rank: int, x: np.ndarray) -> Any:
            if rank:
                raise Peculiar(1, 2)
            return 1.0, x

        other, own = self.raised(2, opfunc)
        assert isinstance(own, Peculiar)
        assert type(other) is RuntimeError
        assert str(other) == "pygraphnn.distributed: rank 1 of 2 failed: Peculiar: 1 and 2"

    def test_goes_on_after_an_error_that_all_catch(self) -> None:
        def run(comm: Threads) -> Any:
            steps = 0

            def opfunc(x: np.ndarray) -> Any:
                nonlocal steps
                steps += 1
                if steps == 2 and comm.rank == 1:
                    raise ValueError("the second step")
                return float(steps), x

            wrapped = distributed(opfunc, comm)
            wrapped(np.zeros(2))
            with pytest.raises(ValueError, match="second"):
                wrapped(np.zeros(2))
            return wrapped(np.zeros(2))[0], wrapped._over

        assert as_threads(2, run)[0] == [(3.0, False)] * 2

    def test_x_must_be_alike(self) -> None:
        text = (
            "pygraphnn.distributed: expected x to be alike on all ranks, got a torch.DoubleTensor of shape (3,) on "
            "rank 0, a torch.DoubleTensor of shape (4,) on rank 1"
        )
        for error in self.raised(3, lambda rank, x: (1.0, x), lambda rank: np.zeros(3 + rank % 2)):
            assert (type(error), str(error), known(error)) == (ValueError, text, True)
        for error in self.raised(2, lambda rank, x: (1.0, x), lambda rank: np.zeros(3, "fd"[rank])):
            assert "got a torch.FloatTensor of shape (3,) on rank 0, a torch.DoubleTensor of shape (3,)" in str(error)

    def test_x_must_be_of_floats_that_can_be_changed(self) -> None:
        frozen = np.zeros(3)
        frozen.flags.writeable = False
        for x in ([1.0], np.zeros(3, int), np.zeros(3, np.float16), frozen):
            for error in self.raised(2, lambda rank, x: (1.0, x), lambda rank, x=x: x):
                assert type(error) is TypeError
                assert "expected x to be a float32 or float64 array that can be changed, got a" in str(error)

    @pytest.mark.parametrize(
        ("result", "kind", "text"),
        [
            (None, TypeError, "expected opfunc to return (f, df/dx), or the number f, got a nil"),
            ((), TypeError, "or the number f, got a table of 0"),
            (("a", np.zeros(3)), TypeError, "or the number f, got a table of 2"),
            ((1.0, [0, 0, 0]), TypeError, "or the number f, got a table of 2"),
            ((1.0, np.zeros(4)), ValueError, "x is a torch.DoubleTensor of shape (3,), but the gradient is a torch"),
            ((1.0, np.zeros(3, "f")), ValueError, "but the gradient is a torch.FloatTensor of shape (3,)"),
        ],
    )
    def test_what_opfunc_returns(self, result: Any, kind: type, text: str) -> None:
        for error in self.raised(2, lambda rank, x: result if rank else (1.0, x)):
            assert type(error) is kind
            assert text in str(error)

    def test_another_x_later(self) -> None:
        def run(comm: Threads) -> None:
            wrapped = distributed(lambda x: (1.0, x), comm)
            wrapped(np.zeros(3))
            wrapped(np.zeros(4))

        for error in as_threads(2, run)[0]:
            assert "expected x to have 3 elements of float64 as in the first call, got a torch.Double" in str(error)

    def test_ranks_that_do_not_the_same(self) -> None:
        def run(comm: Threads) -> None:
            wrapped = distributed(lambda x: (1.0, x) if comm.rank else 1.0, comm)
            wrapped(np.zeros(2))

        for error in as_threads(2, run)[0]:
            assert isinstance(error, Parted)
            assert str(error) == (
                "pygraphnn.distributed: the ranks do not all do the same: "
                "rank 0 gives f alone, rank 1 gives f and df/dx"
            )

    def test_an_opfunc_that_cannot_be_called(self) -> None:
        with pytest.raises(TypeError, match="expected opfunc to be callable, got a number"):
            distributed(3, Alone())  # type: ignore[arg-type]

    def test_exchange_raises_on_all(self) -> None:
        def run(comm: Threads) -> Any:
            assert exchange(comm, comm.rank) == [0, 1]
            return exchange(comm, error=OSError(2, "No such file", "a.txt") if comm.rank else None)

        for error in as_threads(2, run)[0]:
            assert (type(error), error.filename) == (FileNotFoundError, "a.txt")
        with pytest.raises(ValueError, match="alone"):
            exchange(Alone(), error=ValueError("alone"))


class TestCores:
    """Each rank gets its share of the threads."""

    def share(self, monkeypatch: Any, rank: int, ranks: list[tuple[str, set[int]]], **variables: str) -> int | None:
        for name in MODULE.THREADS:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        told: list[int] = []
        monkeypatch.setattr(torch7, "setnumthreads", told.append)
        MODULE._share_cores(rank, [(node, frozenset(cores)) for node, cores in ranks])
        return told[0] if told else None

    def test_of_one_machine(self, monkeypatch: Any) -> None:
        assert self.share(monkeypatch, 0, [("a", {0, 1, 2, 3})] * 2) == 2
        assert self.share(monkeypatch, 0, [("a", {0, 1})] * 3) == 1

    def test_of_several_machines(self, monkeypatch: Any) -> None:
        ranks = [("a", set(range(8))), ("b", set(range(4))), ("b", set(range(4)))]
        assert [self.share(monkeypatch, rank, ranks) for rank in range(3)] == [8, 2, 2]

    def test_of_ranks_that_are_bound_to_cores(self, monkeypatch: Any) -> None:
        assert self.share(monkeypatch, 0, [("a", {0, 1}), ("a", {2, 3})]) == 2
        assert self.share(monkeypatch, 1, [("a", {0, 1, 2}), ("a", {3})]) == 1

    def test_unless_the_user_has_said(self, monkeypatch: Any) -> None:
        assert self.share(monkeypatch, 0, [("a", {0, 1})] * 2, OMP_NUM_THREADS="2") is None

    def test_without_threadpoolctl(self, monkeypatch: Any) -> None:
        def missing(n: int) -> None:
            raise ImportError

        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        monkeypatch.setattr(torch7, "setnumthreads", missing)
        MODULE._share_cores(0, [("a", frozenset({0}))])
