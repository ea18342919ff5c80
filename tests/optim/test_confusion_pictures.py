"""Pictures of confusion matrices: Torch's as an array, those for reports and notebooks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib import image

from optim import ConfusionMatrix, confusion_chart, confusion_picture

PNG = b"\x89PNG"
CHINESE = ["\u732b", "\u72d7\u72d7", "\u957f\u9888\u9e7f"]


def counted(*rows: list[int], names: list[Any] | None = None) -> ConfusionMatrix:
    confusion = ConfusionMatrix(len(rows), names)
    confusion.mat[...] = rows
    return confusion


def animals(names: list[Any] | None = None) -> ConfusionMatrix:
    """Sorted by scores: 3, 1, 2; by occurrences: 2, 1, 3."""
    return counted([8, 2, 0], [3, 6, 3], [0, 0, 4], names=["cat", "dog", "person"] if names is None else names)


def random_matrix(n: int, names: list[Any] | None = None) -> ConfusionMatrix:
    random = np.random.RandomState(n)
    confusion = ConfusionMatrix(n, names)
    targets = random.randint(1, n + 1, 50 * n)
    confusion.batchAdd(np.where(random.uniform(size=50 * n) < 0.2, random.randint(1, n + 1, 50 * n), targets), targets)
    return confusion


def texts(path: Path) -> list[str]:
    return [e.text or "" for e in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture
def svg(tmp_path: Path) -> Iterator[Path]:
    """A file to write, in which text is text."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        yield tmp_path / "confusion.svg"


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)


# -- Torch's picture


@pytest.mark.parametrize("n", [1, 2, 10, 40])
@pytest.mark.parametrize(("block", "legendwidth"), [(25, 200), (8, 30), (12, 0), (1, 1)])
def test_an_array_of_torchs_size(n: int, block: int, legendwidth: int) -> None:
    picture = random_matrix(n).render(block=block, legendwidth=legendwidth)
    assert picture.shape == (3, n * block, n * block + legendwidth)
    assert picture.dtype == np.float64
    assert picture.flags.c_contiguous
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_defaults() -> None:
    want = animals().render("score", False, 25, 200)
    assert want.shape == (3, 75, 275)
    np.testing.assert_array_equal(animals().render(), want)
    np.testing.assert_array_equal(animals().render(None, None, None, None), want)
    np.testing.assert_array_equal(animals().render(block=25.0, legendwidth=np.int32(200)), want)  # type: ignore[arg-type]


@pytest.mark.parametrize(("sortmode", "order"), [("score", [3, 1, 2]), ("occurrence", [2, 1, 3])])
def test_cells_and_grid(sortmode: str, order: list[int]) -> None:
    picture = animals().render(sortmode)
    order = [t - 1 for t in order]
    shares = (animals().mat / animals().mat.sum(1, keepdims=True))[order][:, order]
    corners = picture[:, 1:75:25, 1:75:25]
    for i, j in np.ndindex(3, 3):
        red, green, blue = corners[:, i, j]
        if i == j:
            assert red == green == blue == shares[i, j]
        elif shares[i, j] == 0:
            assert red == green == blue == 0
        else:
            assert red > 0.35 > green > blue > 0
    assert (picture[:, 24:75:25, :75] == 0.1).all()
    assert (picture[:, :75, 24:75:25] == 0.1).all()


def test_what_is_wrong_is_the_redder_the_more_it_is() -> None:
    shares = np.array([[0, 0.01, 0.1], [0.3, 0.3, 0.6], [1, 0, 0]])
    reds = confusion_picture.cell_colors(shares)[..., 0]
    assert 0.4 < reds[0, 1] < reds[0, 2] < reds[1, 0] < reds[1, 2] < reds[2, 0] == 1
    assert reds[2, 1] == 0


def test_classes_of_equal_rank_keep_their_order() -> None:
    confusion = counted(*np.eye(30, dtype=int).tolist())
    confusion.updateValids()
    for sortmode in ("score", "occurrence", None):
        arrangement = confusion_picture.Arrangement(confusion, sortmode, "test")
        assert arrangement.names == [str(t) for t in range(1, 31)]


def test_cells_tell_their_percents() -> None:
    bare = animals().render(block=9)
    np.testing.assert_array_equal(bare, confusion_picture.cells(arranged(animals()), 9, 200).transpose(2, 0, 1))
    picture = animals().render(block=40)
    plain = confusion_picture.cells(arranged(animals()), 40, 200).transpose(2, 0, 1)
    written = (picture != plain).any(0)
    counts = animals().mat[[2, 0, 1]][:, [2, 0, 1]]
    for i, j in np.ndindex(3, 3):
        assert written[i * 40 : i * 40 + 39, j * 40 : j * 40 + 39].any() == (counts[i, j] > 0)
    assert not written[39:120:40, :120].any()  # nothing touches the grid


def test_percents_can_be_read_on_any_cell() -> None:
    confusion = counted([1, 99], [50, 50])
    picture, plain = (f(confusion) for f in (lambda c: c.render(block=60, legendwidth=0), lambda c: c.render(block=60)))
    assert picture.shape[1] == plain.shape[1]
    for i, j in np.ndindex(2, 2):
        cell = picture[:, i * 60 : i * 60 + 59, j * 60 : j * 60 + 59].mean(0)
        assert abs(cell - cell[0, 0]).max() > 0.4


def arranged(confusion: ConfusionMatrix, sortmode: str | None = "score") -> confusion_picture.Arrangement:
    confusion.updateValids()
    return confusion_picture.Arrangement(confusion, sortmode, "test")


def test_the_legend_tells_frequencies_and_names() -> None:
    picture = animals().render()
    legend = picture[:, :, 75:]
    assert (legend[:, 0] == 0).all()
    for row in range(3):
        line = legend[:, row * 25 : row * 25 + 25].max(1)
        assert line[:, :110].max() > 0.5
        assert line[:, 110:].max() > 0.5
    blue = legend[:, :, :105].max((1, 2))
    assert blue[2] > blue[0]
    names = legend[:, :, 110:]
    assert (names[0] == names[1]).all()
    assert (names[1] == names[2]).all()
    best, worst = names[0, :25].max(), names[0, 50:].max()
    assert best > worst


def test_classes_without_names_are_told_by_their_numbers() -> None:
    np.testing.assert_array_equal(animals([]).render(), animals([1, 2, 3]).render())
    assert arranged(animals(["cat"])).names == ["3", "cat", "2"]


def test_names_that_do_not_fit_are_shortened() -> None:
    painter = confusion_picture.Painter(np.zeros((25, 300, 3)))
    text = painter.write(0, 10, "a name that is so long that it does not fit", 12, "white")
    painter.shorten(text, 100)
    assert text.get_text().startswith("a name")
    assert text.get_text().endswith("…")
    assert 60 < painter.length(text) <= 100
    painter.shorten(text, 0)
    assert text.get_text() == ""
    short = painter.write(0, 10, "short", 12, "white")
    painter.shorten(short, 100)
    assert short.get_text() == "short"
    long = animals(["a name that is so long that it does not fit"] * 3).render()
    assert not long[:, :, -4:].any()


def test_what_cannot_be_shown_in_a_name() -> None:
    assert confusion_picture.printable("two\nlines\tand  more ") == "two lines and more"
    assert confusion_picture.printable("a\x00b\ud800") == "a\N{REPLACEMENT CHARACTER}b?"
    assert arranged(animals([b"\xffx", "", None])).names == ["3", "\N{REPLACEMENT CHARACTER}x", "2"]


def test_an_empty_matrix_is_black() -> None:
    picture = ConfusionMatrix(4).render()
    matrix = picture[:, :100, :100]
    assert matrix.max() == 0.1
    assert picture[:, :, 100:].max() > 0.3


def test_letters_that_no_font_has_make_boxes_and_no_warnings() -> None:
    assert animals(CHINESE)._repr_png_() != animals([])._repr_png_()
    assert animals(CHINESE).render()[:, :, 180:].max() > 0.3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sortmode": "scores"}, "sort mode must be one of: score | occurrence, got 'scores'"),
        ({"block": 0}, "expected a block of 1 pixel or more and a legend of 0 or more, got 0 and 200"),
        ({"legendwidth": -1}, "expected a block of 1 pixel or more and a legend of 0 or more, got 25 and -1"),
        ({"block": 2.5}, "expected a whole number as block, got 2.5"),
    ],
)
def test_what_makes_no_picture(options: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"optim\.ConfusionMatrix\.render: ") as error:
        animals().render(**options)
    assert text in str(error.value)


# -- pictures in files


@pytest.mark.parametrize(("suffix", "begin"), [(".png", PNG), (".PNG", PNG), (".svg", b"<?xml"), (".pdf", b"%PDF")])
@pytest.mark.parametrize("names", [None, CHINESE])
def test_the_suffix_names_the_format(tmp_path: Path, suffix: str, begin: bytes, names: Any) -> None:
    animals(names).save(tmp_path / f"a{suffix}")
    animals(names).save(f"{tmp_path}/b{suffix}", "score")
    assert sorted(os.listdir(tmp_path)) == [f"a{suffix}", f"b{suffix}"]
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(begin)


@pytest.mark.parametrize("n", [1, 2, 10, 40, 100, 150])
def test_any_number_of_classes(tmp_path: Path, n: int) -> None:
    random_matrix(n).save(tmp_path / "a.png", dpi=50)
    height, width = image.imread(tmp_path / "a.png").shape[:2]
    assert 100 < height < 2500
    assert 100 < width < 2500


def test_what_a_picture_tells(svg: Path) -> None:
    animals().save(svg)
    told = texts(svg)
    assert "Confusion matrix" in told
    assert "18 of 26 right (69.23%), mean of the classes 76.67%, VOC measure 53.85%" in told
    assert [text for text in told if text in ("cat", "dog", "person")] == [
        "cat",
        "cat",
        "dog",
        "dog",
        "person",
        "person",
    ]
    for text in ("8", "80%", "20%", "6", "50%", "25%", "80.0%", "50.0%", "100.0%", "10", "12", "examples", "right"):
        assert text in told
    assert "0%" not in told
    assert "is ↓   taken for →" in told


@pytest.mark.parametrize(
    ("sortmode", "order"), [(None, "cat dog person"), ("score", "person cat dog"), ("occurrence", "dog cat person")]
)
def test_order_of_the_classes(svg: Path, sortmode: str | None, order: str) -> None:
    animals().save(svg, sortmode)
    told = [text for text in texts(svg) if text in order.split()]
    assert told[::2] == order.split()


def test_title_and_names_are_no_formulas(svg: Path) -> None:
    animals(["$x^2$", "a_{b", "cost $5"]).save(svg, title="run $3$\nof \\frac{")
    assert "run $3$ of \\frac{" in texts(svg)
    assert {"$x^2$", "a_{b", "cost $5"} <= set(texts(svg))


def test_long_names_are_shortened(svg: Path) -> None:
    animals(["a" * 100, "b" * 32, "c"]).save(svg)
    assert {"a" * 31 + "…", "b" * 32, "c"} <= set(texts(svg))


@pytest.mark.parametrize(("letter", "most"), [("a", 11), ("\u732b", 7)])
def test_names_of_columns_turn_where_they_do_not_fit(svg: Path, letter: str, most: int) -> None:
    for n, turned in ((most, False), (most + 1, True)):
        animals([letter * n] * 3).save(svg)
        assert ("rotate(-45" in svg.read_text()) == turned


def test_classes_without_a_name_have_their_number(svg: Path) -> None:
    animals([]).save(svg)
    told = texts(svg)
    assert told.count("1") == told.count("3") - 2 == 2
    animals(["cat"]).save(svg)
    assert {"cat", "2", "3"} <= set(texts(svg))


def test_an_empty_matrix_is_told_to_be_empty(svg: Path) -> None:
    ConfusionMatrix(2).save(svg)
    told = texts(svg)
    assert "no examples" in told
    assert not any("nan" in text for text in told)
    assert told.count("–") == 2


def test_many_classes_have_counts_and_then_only_colours(svg: Path) -> None:
    confusion = counted(*np.diag(np.full(100, 77)).tolist())
    confusion.save(svg)
    assert texts(svg).count("77") == 100 + 100 + 2  # in cells, as examples, as the number of a class
    confusion = counted(*np.diag(np.full(200, 777)).tolist())
    confusion.save(svg)
    assert texts(svg).count("777") == 200  # as examples
    assert "200" in texts(svg)


def test_counts_that_are_too_long_are_shortened(svg: Path) -> None:
    counted(*np.diag([123_456_789] * 12).tolist()).save(svg)
    assert texts(svg).count("123M") == 12
    assert [confusion_chart.short(n, 4) for n in (9999, 10_000, 999_499, 999_999, 12**10)] == [
        "9999",
        "10k",
        "999k",
        "1M",
        "62G",
    ]
    assert [confusion_chart.short(n, 4) for n in (0, 10**13, 10**17)] == ["0", "10T", "100000T"]


def test_percents_of_little_and_of_nearly_all() -> None:
    shares = (1, 0.9996, 0.99, 0.5, 0.1, 0.0999, 0.001)
    assert [confusion_chart.percent(x) for x in shares] == ["100%", "99.9%", "99%", "50%", "10%", "10.0%", "0.1%"]
    assert [confusion_chart.percent(x, 1) for x in (1, 0.99999, 0.5, 0)] == ["100.0%", "99.9%", "50.0%", "0.0%"]


def test_what_is_wrong_stands_out() -> None:
    """Red beside blue, and the more the stronger; what is right is never as strong as that."""
    shares = np.array([[0.98, 0.02, 0.1], [0.9, 0.5, 0.3], [0, 0, 1]])
    colors = confusion_chart.colors(shares)
    blue = colors[np.arange(3), np.arange(3)]
    red = colors[[0, 0, 1, 1], [1, 2, 2, 0]]
    assert (blue[:, 2] > blue[:, 0]).all()
    assert (red[:, 0] > red[:, 2] + 0.2).all()
    assert (np.diff(red[:, 1]) < 0).all()
    assert blue.min() > red[1:].min(1).max()


def test_dots_per_inch(tmp_path: Path) -> None:
    for dpi in (50, 100):
        animals().save(tmp_path / f"{dpi}.png", dpi=dpi)
    small, large = (image.imread(tmp_path / f"{dpi}.png").shape[0] for dpi in (50, 100))
    assert abs(large - 2 * small) <= 4


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("a.gif", {}, ValueError, "unknown suffix '.gif' of '.*a.gif', expected one of .png, .svg, .pdf"),
        ("a", {}, ValueError, "unknown suffix '' of '.*a', expected one of .png, .svg, .pdf"),
        ("nowhere/a.png", {}, FileNotFoundError, "there is no folder '.*nowhere' to write a.png to"),
        ("a.png", {"sortmode": "name"}, ValueError, "sort mode must be one of: score | occurrence, got 'name'"),
        ("a.png", {"dpi": 0}, ValueError, "expected a dpi above 0, got 0"),
        ("a.png", {"dpi": float("nan")}, ValueError, "expected a dpi above 0, got nan"),
    ],
)
def test_what_is_not_written(tmp_path: Path, name: str, options: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=rf"optim\.ConfusionMatrix\.save: {text}"):
        animals().save(tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    animals().save(path)
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        random_matrix(3).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_users_style_does_not_hide_anything(svg: Path) -> None:
    animals().save(svg)
    want = texts(svg)
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "black", "figure.constrained_layout.use": True}):
        animals().save(svg)
    assert texts(svg) == want


# -- notebooks, and machines without matplotlib


def test_a_notebook_shows_a_picture() -> None:
    picture = animals()._repr_png_()
    assert picture is not None
    pixels = image.imread(io.BytesIO(picture))
    assert pixels.shape[2] == 4
    assert pixels[..., :3].min() < 0.3
    assert ConfusionMatrix(3)._repr_png_() is not None


def test_a_notebook_shows_the_text_where_drawing_fails() -> None:
    broken = ConfusionMatrix.__new__(ConfusionMatrix)
    assert broken._repr_png_() is None


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib(tmp_path: Path) -> None:
    confusion = animals()
    assert confusion._repr_png_() is None
    assert "[class: cat]" in repr(confusion)
    for draw in (lambda: confusion.save(tmp_path / "a.png"), confusion.render):
        with pytest.raises(ImportError, match=r"a picture needs the package matplotlib: .*pygraphnn\[plot\]"):
            draw()
    assert list(tmp_path.iterdir()) == []


def test_pictures_need_no_window_system(tmp_path: Path) -> None:
    program = (
        "import sys, optim\n"
        "assert 'matplotlib' not in sys.modules\n"
        "confusion = optim.ConfusionMatrix(2)\n"
        "confusion.add(1, 1)\n"
        "confusion.save('a.png')\n"
        "confusion.render()\n"
        "confusion._repr_png_()\n"
        "assert not {'matplotlib.pyplot', 'nn', 'pygraphnn', 'tkinter'} & set(sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "MPLBACKEND": "tkagg"}
    environment.pop("DISPLAY", None)
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
