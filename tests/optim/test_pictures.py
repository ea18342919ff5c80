"""What people see of plots and confusion matrices while a script runs: a notebook and a desktop, both made up."""

from __future__ import annotations

import base64
import copy
import logging
import pickle
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import optim
from optim import confusion_picture, pictures

from .test_logger import folder  # noqa: F401  (a fixture for all tests here)


@pytest.fixture(autouse=True)
def no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.setattr(confusion_picture, "SCREEN", pictures.Screen())


def logger(name: str = "a.log") -> optim.Logger:
    logger = optim.Logger(name)
    logger.epsfile = None
    logger.add({"a": 1, "b": 2})
    logger.add({"a": 2, "b": 1})
    return logger


# -- a notebook


class Notebook:
    """IPython as far as a plot needs it: outputs, each with all that it has shown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hasKernel: bool = True):
        self.outputs: list[list[Any]] = []
        self.shell = types.SimpleNamespace(execution_count=1, **({"kernel": object()} if hasKernel else {}))
        package, self.display_module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        package.get_ipython = lambda: self.shell  # type: ignore[attr-defined]
        package.version_info = (9, 0)  # type: ignore[attr-defined]  # matplotlib looks at it
        self.display_module.display = self.display  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", self.display_module)

    def display(self, bundle: Any, *, raw: bool, metadata: Any, display_id: bool) -> Any:
        assert raw
        assert display_id
        output = [(bundle, metadata)]
        self.outputs.append(output)

        def update(bundle: Any, *, raw: bool, metadata: Any) -> None:
            assert raw
            output.append((bundle, metadata))

        return types.SimpleNamespace(update=update)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    return Notebook(monkeypatch)


def test_a_notebook_has_one_output_that_changes(notebook: Notebook) -> None:
    plotted = logger()
    for value in range(3):
        plotted.add([value, value])
        plotted.plot()
    ((first, *others),) = notebook.outputs
    assert len(others) == 2
    pictures = {base64.b64decode(bundle["image/png"]) for bundle, _ in (first, *others)}
    assert len(pictures) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert first[0]["text/plain"] == "<Logger::a.log>"
    assert first[1] == {"image/png": {"width": 540, "height": 324}}


def test_another_cell_has_its_own(notebook: Notebook) -> None:
    plotted = logger()
    plotted.plot()
    notebook.shell.execution_count = 2
    plotted.plot()
    plotted.plot()
    assert [len(output) for output in notebook.outputs] == [1, 2]


def test_each_logger_has_its_own(notebook: Notebook) -> None:
    first, second = logger(), logger("b.log")
    for plotted in (first, second, copy.deepcopy(first), first, second):
        plotted.plot()
    assert [len(output) for output in notebook.outputs] == [2, 2, 1]


def test_display_turns_a_notebook_off_and_on(notebook: Notebook) -> None:
    plotted = logger()
    plotted.display(False)
    plotted.plot(file="a.png")
    assert not notebook.outputs
    assert Path("a.png").exists()
    plotted.display(True)
    plotted.plot(file="a.png")
    assert len(notebook.outputs) == 1


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch, desktop: Desktop) -> None:
    notebook = Notebook(monkeypatch, hasKernel=False)
    logger().plot()
    assert not notebook.outputs
    assert len(desktop.windows) == 1


# -- a desktop


class Canvas(FigureCanvasAgg):
    """A window: what was done to it, in order."""

    required_interactive_framework = "made up"
    title = ""
    when_events: Any = None

    def __init__(self, figure: Any, number: int):
        super().__init__(figure)
        self.log: list[str] = []
        self.manager = types.SimpleNamespace(
            num=number,
            toolbar=None,
            resize=lambda width, height: None,
            set_window_title=lambda title: setattr(self, "title", title),
        )
        figure.show = self.show

    def show(self) -> None:
        assert not rcParams["figure.raise_window"]
        self.log.append("show")

    def draw(self) -> None:
        self.log.append("draw")

    def flush_events(self) -> None:
        self.log.append("events")
        if self.when_events:
            self.when_events()


class Desktop:
    """pyplot as far as a plot needs it."""

    def __init__(self) -> None:
        self.windows: dict[int, Canvas] = {}
        self.current: Any = None
        self.made = 0
        self.error: Exception | None = None

    def figure(self, number: int | None = None, figsize: Any = None) -> Any:
        if self.error:
            raise self.error
        if number is None:
            assert figsize
            self.made += 1
            number = self.made
            self.windows[number] = Canvas(Figure(figsize=figsize), number)
        self.current = self.windows[number].figure
        return self.current

    def gcf(self) -> Any:
        return self.current

    def get_fignums(self) -> list[int]:
        return list(self.windows)

    def fignum_exists(self, number: int) -> bool:
        return number in self.windows

    def close(self, figure: Any) -> None:
        del self.windows[figure.canvas.manager.num]

    rc_context = staticmethod(rc_context)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Desktop:
    desktop = Desktop()
    pick = pictures.optional
    monkeypatch.setattr(
        pictures, "optional", lambda name, *why: desktop if name == "matplotlib.pyplot" else pick(name, *why)
    )
    return desktop


def test_a_window_is_drawn_again_and_again(desktop: Desktop) -> None:
    plotted = logger()
    plotted.plot()
    (window,) = desktop.windows.values()
    assert window.title == "<Logger::a.log>"
    assert tuple(window.figure.get_size_inches()) == (7.5, 4.5)
    assert [len(line.get_ydata()) for line in window.figure.axes[0].lines] == [2, 2]
    plotted.add([3, 3])
    plotted.plot("a")
    assert [len(line.get_ydata()) for line in window.figure.axes[0].lines] == [3]
    assert (desktop.made, window.log) == (1, ["show", "draw", "events"] * 2)


def test_each_logger_has_its_own_window(desktop: Desktop) -> None:
    first, second = logger(), logger("b.log")
    for plotted in (first, second, first, pickle.loads(pickle.dumps(first))):
        plotted.plot()
    assert [window.title for window in desktop.windows.values()] == [
        *("<Logger::a.log>", "<Logger::b.log>", "<Logger::a.log>"),
    ]


def test_the_scripts_own_figure_stays_current(desktop: Desktop) -> None:
    own = desktop.figure(figsize=(7.5, 4.5))
    logger().plot()
    assert len(desktop.windows) == 2
    assert desktop.current is own
    assert not own.axes


def test_a_closed_window_stays_closed_until_it_is_asked_for(desktop: Desktop) -> None:
    plotted = logger()
    plotted.plot()
    desktop.windows.clear()
    plotted.plot(file="a.png")
    assert Path("a.png").exists()
    assert desktop.made == 1
    plotted.display(False)
    plotted.plot()
    assert desktop.made == 1
    plotted.display(True)
    plotted.plot()
    plotted.display(True)
    plotted.plot()
    assert (desktop.made, list(desktop.windows)) == (2, [2])


def test_by_hand_a_closed_window_comes_back(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    plotted = logger()
    plotted.plot()
    desktop.windows.clear()
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    plotted.plot()
    assert list(desktop.windows) == [2]


def test_closing_a_window_while_it_is_drawn(desktop: Desktop) -> None:
    plotted = logger()
    plotted.plot()

    def close() -> None:
        desktop.windows.clear()
        raise RuntimeError("no such window")

    desktop.windows[1].when_events = close
    plotted.plot()
    plotted.plot()
    assert desktop.made == 1


def test_other_errors_of_a_window_are_told(desktop: Desktop) -> None:
    def fail(error: BaseException) -> None:
        raise error

    plotted = logger()
    plotted.plot()
    for error in (RuntimeError("broken"), KeyboardInterrupt()):
        desktop.windows[1].when_events = lambda error=error: fail(error)
        with pytest.raises(type(error)):
            plotted.plot()


def test_without_a_window_nothing_is_shown(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Canvas, "required_interactive_framework", None)
    plotted = logger()
    for name in ("a.png", "b.png"):
        plotted.plot(file=name)
        assert Path(name).exists()
    assert (desktop.made, desktop.windows) == (1, {})


@pytest.mark.parametrize("error", [ImportError("headless"), RuntimeError("no display name")])
def test_a_display_that_cannot_be_opened(desktop: Desktop, error: Exception) -> None:
    desktop.error = error
    plotted = logger()
    plotted.plot(file="a.png")
    desktop.error = None
    plotted.plot(file="a.png")
    assert (desktop.made, Path("a.png").exists()) == (0, True)


def test_other_threads_open_no_windows(desktop: Desktop) -> None:
    plotted = logger()
    thread = threading.Thread(target=plotted.plot)
    thread.start()
    thread.join()
    assert desktop.made == 0
    plotted.plot()
    assert desktop.made == 1


def test_pyplot_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    backend = pyplot.get_backend()
    pyplot.switch_backend("agg")
    try:
        plotted = logger()
        plotted.plot(file="a.png")
        plotted.plot(file="b.png")
        assert pyplot.get_fignums() == []
    finally:
        pyplot.switch_backend(backend)
    assert plotted.figure.figure is None
    assert Path("b.png").exists()


def test_nothing_is_opened_for_nothing(desktop: Desktop, notebook: Notebook) -> None:
    optim.Logger("a.log").plot()
    assert (desktop.made, notebook.outputs) == (0, [])


# -- confusion matrices


def animals() -> optim.ConfusionMatrix:
    confusion = optim.ConfusionMatrix(["cat", "dog", "person"])
    confusion.mat[...] = [[8, 2, 0], [3, 6, 3], [0, 0, 4]]
    return confusion


def test_a_matrix_in_a_window(desktop: Desktop) -> None:
    own = desktop.figure(figsize=(7.5, 4.5))
    confusion = animals()
    picture = confusion.render("score", True)
    window = desktop.windows[2]
    (axes,), (title,) = window.figure.axes, window.figure.texts
    np.testing.assert_array_equal(axes.images[0].get_array(), picture.transpose(1, 2, 0))
    assert window.title == " ".join(title.get_text().split())
    assert window.title == (
        "Confusion matrix [sorted by scores, global accuracy = 69.231%, per-class accuracy = 76.667%]"
    )
    assert window.log == ["show", "draw", "events"]
    assert (desktop.current, own.axes) == (own, [])


def test_all_matrices_share_a_window_that_grows_with_them(desktop: Desktop) -> None:
    animals().render("score", True)
    (window,) = desktop.windows.values()
    small, lines = window.figure.get_size_inches(), window.figure.texts[0].get_text().count("\n")
    np.testing.assert_allclose(small, [3, 1.35])
    optim.ConfusionMatrix(10).render("occurrence", True, legendwidth=600)
    assert desktop.made == 1
    assert "[sorted by occurrences, " in window.title
    assert (window.figure.get_size_inches() > small).all()
    assert window.figure.texts[0].get_text().count("\n") < lines  # there is more room
    desktop.windows.clear()
    animals().render("score", True)
    assert list(desktop.windows) == [2]


def test_a_matrix_in_a_notebook(notebook: Notebook) -> None:
    confusion = animals()
    for _ in range(2):
        confusion.render("score", True)
        confusion.add(1, 1)
    (((first, metadata), (second, _)),) = notebook.outputs
    assert first["text/plain"].startswith("Confusion matrix [sorted by scores, ")
    assert metadata == {"image/png": {"width": 300, "height": 135}}
    assert first["image/png"] != second["image/png"]


def test_a_matrix_without_a_screen_is_in_a_file(
    desktop: Desktop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    desktop.error = RuntimeError("no display name")
    monkeypatch.setattr(confusion_picture.tempfile, "tempdir", str(tmp_path))
    confusion_picture.file_instead.cache_clear()
    picture = animals().render(display=True)
    np.testing.assert_array_equal(picture, animals().render())
    first = capsys.readouterr().out
    with rc_context({"text.usetex": True, "axes.facecolor": "black", "figure.constrained_layout.use": True}):
        optim.ConfusionMatrix(2).render("occurrence", True)
    assert capsys.readouterr().out == first
    head, path = first.strip().split(" is in ")
    assert head == "optim.ConfusionMatrix.render: the picture"
    assert [str(p) for p in tmp_path.rglob("*.png")] == [path]
    assert Path(path).read_bytes().startswith(b"\x89PNG")
    confusion_picture.file_instead.cache_clear()


def test_fonts_without_a_bold_face_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("matplotlib.font_manager")
    with pictures.quietly():
        log.warning("findfont: Failed to find font weight bold for some font, now using 400.")
    assert not caplog.records
    log.warning("findfont: something else")
    assert [record.message for record in caplog.records] == ["findfont: something else"]
