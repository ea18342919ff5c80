from __future__ import annotations

import types

import pytest

import torch7
from torch7 import Timer, tic, timer, toc


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves when it is told to: seconds of the wall, of the program and of the system."""
    now = types.SimpleNamespace(real=1000.0, user=10.0, sys=5.0)

    def tick(real, user=0.0, sys=0.0):
        now.real, now.user, now.sys = now.real + real, now.user + user, now.sys + sys

    usage = types.SimpleNamespace(
        RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_utime=now.user, ru_stime=now.sys)
    )
    monkeypatch.setattr(timer, "resource", usage)
    monkeypatch.setattr(timer.time, "time", lambda: now.real)
    monkeypatch.setattr(timer.os, "times", lambda: types.SimpleNamespace(user=now.user, system=now.sys))
    monkeypatch.setattr(timer, "_tic", None)
    return tick


def times(watch):
    measured = watch.time()
    assert isinstance(measured, torch7.Table)
    assert len(measured) == 3
    return measured.real, measured.user, measured.sys


def test_runs_from_its_construction(clock):
    watch = Timer()
    assert times(watch) == (0, 0, 0)
    clock(4, 2, 1)
    assert times(watch) == (4, 2, 1)
    clock(1, 0, 0.5)
    assert times(watch) == (5, 2, 1.5)


def test_stop_and_resume_add_up(clock):
    watch = Timer()
    clock(4, 2, 1)
    watch.stop()
    clock(100, 50, 25)
    assert times(watch) == (4, 2, 1)
    watch.resume()
    clock(3, 2, 0.5)
    assert times(watch) == (7, 4, 1.5)
    watch.stop()
    assert times(watch) == (7, 4, 1.5)


def test_stopping_and_resuming_twice_changes_nothing(clock):
    watch = Timer()
    clock(4)
    watch.resume()
    clock(1)
    watch.stop()
    clock(10)
    watch.stop()
    assert watch.time().real == 5


def test_reset_keeps_a_running_timer_running(clock):
    watch = Timer()
    clock(4)
    watch.reset()
    clock(1, 1)
    assert times(watch) == (1, 1, 0)


def test_reset_keeps_a_stopped_timer_stopped(clock):
    watch = Timer()
    clock(4)
    watch.stop()
    watch.reset()
    clock(1)
    assert watch.time().real == 0
    clock(5)
    watch.resume()
    clock(2)
    assert watch.time().real == 2


def test_calls_chain_and_show_the_state(clock):
    watch = Timer()
    assert torch7.typename(watch) == "torch.Timer"
    assert str(watch) == "torch.Timer [status: running]"
    assert str(watch.stop()) == "torch.Timer [status: stopped]"
    assert watch.reset() is watch
    assert watch.resume() is watch


def test_without_the_unix_clock(clock, monkeypatch):
    monkeypatch.setattr(timer, "resource", None)
    watch = Timer()
    clock(4, 2, 1)
    assert times(watch) == (4, 2, 1)


def test_with_the_real_clocks():
    watch = Timer()
    total = sum(i * i for i in range(200_000))
    first, second = watch.time(), watch.time()
    assert total > 0
    assert 0 < first.real <= second.real
    assert first.user + first.sys > 0


def test_tic_and_toc(clock, capsys):
    with pytest.raises(RuntimeError, match=r"torch7\.toc: expected a call of tic\(\) before"):
        toc()
    start = tic()
    assert start == 1000
    clock(2.5)
    tic()
    clock(0.5)
    assert toc() == 0.5
    assert toc(start) == 3
    assert capsys.readouterr().out == ""
    assert toc(True) == toc(verbose=True) == 0.5
    assert capsys.readouterr().out == "elapsed time: 0.500000 seconds\n" * 2


def test_a_timer_in_a_file_is_a_new_one():
    timer = torch7.Timer().stop()
    data = torch7.serialize([timer, timer])
    first, second = torch7.deserialize(data)
    assert first is second
    assert repr(first) == "torch.Timer [status: running]"
    assert 0 <= first.time().real < 60
    assert bytes(data).count(b"torch.Timer") == 1
