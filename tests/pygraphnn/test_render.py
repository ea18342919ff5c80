"""Pictures of graphs: formats, texts in them, files, and what happens where nothing can draw or show them."""

from __future__ import annotations

import io
import re
import stat
import subprocess
import sys
import types
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch7
from pygraphnn import graph, render, simple_print
from pygraphnn.graph import Edge, Graph, Node
from tests.support import golden
from tests.support.graphs import mlp

SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"
TEXTS = [
    "plain",
    'with "quotes" and a \\"',
    "two\nlines",
    "<b>R&D</b> & 1 < 2 > 0",
    "Größe σ(x) → ∂ Привет",
    "中文 字符",
    "node",
    "ends with \\",
    "",
    "é" * 300,
]
SIMPLE = "digraph { a -> b }"


class Hinted(Node):
    """A node with a tooltip."""

    def graphNodeAttributes(self) -> dict[str, Any]:
        return {"tooltip": f"tip: {self.data}"}


def chain(texts: list[Any], node: type[Node] = Node) -> Graph:
    g = Graph()
    nodes = [node(text) for text in texts]
    g.add([Edge(a, b) for a, b in zip(nodes, nodes[1:] or nodes)])
    return g


def texts_of(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def shown(text: str) -> list[str]:
    """The lines that a picture shows for a node's text: a backslash before a letter or the end is an escape."""
    return text.replace('\\"', '\\\\"').replace("\\\\", "\\").split("\n")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setattr(render, "_fonts", lambda folder, format: {})


class TestFormats:
    def test_magic_bytes(self):
        assert render.render(SIMPLE, "png").startswith(b"\x89PNG\r\n\x1a\n")
        assert render.render(SIMPLE, "pdf").startswith(b"%PDF-")
        assert ElementTree.fromstring(render.render(SIMPLE)).tag == f"{SVG}svg"

    def test_dot_is_the_text_itself(self, nothing_installed):
        text = chain(TEXTS).todot("Größe")
        assert render.render(text, "dot").decode() == text

    @pytest.mark.parametrize("algorithm", render.ALGORITHMS)
    def test_every_algorithm_draws_all_nodes(self, algorithm):
        svg = render.render(chain(["a", "b", "c"]).todot(), "svg", algorithm)
        assert set(texts_of(svg)) >= {"Node1", "Node2", "Node3"}

    def test_unknown_formats_and_algorithms(self):
        with pytest.raises(ValueError, match="unknown format 'gif', expected one of dot, svg, png, pdf"):
            render.render(SIMPLE, "gif")
        with pytest.raises(ValueError, match="unknown algorithm 'best', expected one of dot, neato"):
            render.render(SIMPLE, "svg", "best")

    def test_a_graph_is_no_text(self):
        with pytest.raises(TypeError, match="expected a text in Graphviz' language, got a Graph"):
            render.render(Graph())  # type: ignore[arg-type]

    def test_what_Graphviz_does_not_understand(self):
        with pytest.raises(ValueError, match=r"Graphviz cannot draw this text: .*syntax error in line 2"):
            render.render("digraph {\n a -> -> b }")

    def test_an_empty_graph(self):
        assert texts_of(render.render(Graph().todot("nothing"))) == ["nothing"]

    def test_a_png_has_ink_where_the_letters_are(self):
        assert dark_pixels(render.render('digraph { a [label="WWWWWWWW"] }', "png")) > dark_pixels(
            render.render('digraph { a [label="        "] }', "png")
        )

    def test_a_pdf_embeds_a_font(self):
        assert b"/FontFile" in unpacked(render.render(SIMPLE, "pdf"))


def dark_pixels(png: bytes) -> int:
    """How many pixels of a PNG are nearly black."""
    from matplotlib import image

    return int((image.imread(io.BytesIO(png))[..., :3].max(axis=-1) < 0.3).sum())


def unpacked(pdf: bytes) -> bytes:
    """A PDF with its compressed streams unpacked."""
    streams = re.findall(rb"FlateDecode.*?stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    return pdf + b"".join(zlib.decompressobj().decompress(stream) for stream in streams)


class TestTexts:
    def test_labels_in_svg(self):
        svg = render.render(chain(TEXTS).todot('A "title" <of> ñ'))
        lines = [line for i, text in enumerate(TEXTS, 1) for line in (f"Node{i}", *shown(text)) if line]
        assert sorted(texts_of(svg)) == sorted(['A "title" <of> ñ', *lines])

    def test_tooltips_in_svg(self):
        root = ElementTree.fromstring(render.render(chain(TEXTS, Hinted).todot()))
        tips = {element.attrib[TITLE] for element in root.iter() if TITLE in element.attrib}
        assert tips == {"\n".join(shown(f"tip: {text}")) for text in TEXTS}

    @pytest.mark.parametrize("format", ["png", "pdf"])
    def test_drawn_formats_take_any_text(self, format):
        assert len(render.render(chain(TEXTS, Hinted).todot("Größe"), format)) > 5000

    def test_lines_to_the_left_end_with_the_last_one(self):
        svg = render.render(chain([r'first\lsecond\llast "one"']).todot())
        anchors = {e.text: e.attrib["text-anchor"] for e in ElementTree.fromstring(svg).iter(f"{SVG}text")}
        assert anchors == {"Node1": "middle", "first": "start", "second": "start", 'last "one"': "start"}

    def test_characters_that_xml_forbids(self):
        text = chain(["bell \x07 null \x00 half \ud800"]).todot()
        assert "bell \ufffd null \ufffd half \ufffd" in texts_of(render.render(text))
        assert render.render(text, "dot").decode().count("\ufffd") == 3
        assert graph.graphvizLayout(chain(["\ud800", "b"])).shape == (2, 2)

    def test_recorded_drawings_of_networks(self):
        for case in golden.cases("graph/graphs.json"):
            svg = render.render(case["todot_title"])
            assert {f"Title of {case['name']}"} | {f"Node{i}" for i in case["ids"].values()} <= set(texts_of(svg))


class TestStyle:
    def test_the_texts_own_defaults_win(self):
        svg = render.render('digraph "G {" { node [fontname="Courier" fillcolor=red]; a; b [fillcolor=blue] }').decode()
        assert 'font-family="Courier' in svg
        assert 'fill="red"' in svg
        assert 'fill="blue"' in svg

    @pytest.mark.parametrize("opening", ["digraph {", "strict digraph G{", "graph G\n{", 'DIGRAPH "a \\" {b" {'])
    def test_every_opening_gets_the_style(self, opening):
        assert render._styled(f"{opening} a }}", "svg") == f"{opening}{render.STYLE} a }}"


class TestLayout:
    def test_positions_in_the_unit_square(self):
        g = chain(["a", "b", "c"])
        g.add(Edge(g.nodes[0], Node("d")))
        positions = graph.graphvizLayout(g)
        assert positions.shape == (4, 2)
        assert positions.min() >= 0
        assert positions.max() <= 1
        a, b, c, d = positions
        assert a[1] > b[1] > c[1]
        assert b[1] == d[1]
        assert b[0] != d[0]

    def test_it_is_a_tensor_of_the_default_type(self):
        torch7.setdefaulttensortype("torch.FloatTensor")
        try:
            assert graph.graphvizLayout(chain(["a", "b"])).dtype == np.float32
        finally:
            torch7.setdefaulttensortype("torch.DoubleTensor")

    @pytest.mark.parametrize("algorithm", ["neato", "circo", "fdp"])
    def test_other_algorithms(self, algorithm):
        positions = graph.graphvizLayout(chain(list("abcde")), algorithm)
        assert len(np.unique(positions, axis=0)) == 5
        assert not np.array_equal(positions, graph.graphvizLayout(chain(list("abcde"))))

    def test_an_empty_graph(self):
        assert graph.graphvizLayout(Graph()).shape == (0, 2)

    def test_names_and_labels_do_not_matter(self):
        class Named(Node):
            def graphNodeName(self) -> str:
                return f"Node{9 - self.id}"

        assert np.array_equal(graph.graphvizLayout(chain(list("ab"), Named)), graph.graphvizLayout(chain(list("ab"))))


class TestFiles:
    @pytest.mark.parametrize("name", ["g.svg", "g.png", "g.pdf", "g.dot", "g.SVG", "with.dots.svg"])
    def test_the_suffix_is_the_format(self, tmp_path, name):
        graph.graphvizFile(chain(["a", "b"]), None, tmp_path / name)
        format = name.rpartition(".")[2].lower()
        start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}[format]
        assert (tmp_path / name).read_bytes().startswith(start)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_the_algorithm_counts(self, tmp_path):
        g = chain(list("abcd"))
        for algorithm in ("dot", "circo"):
            graph.graphvizFile(g, algorithm, str(tmp_path / f"{algorithm}.svg"))
        assert (tmp_path / "dot.svg").read_bytes() != (tmp_path / "circo.svg").read_bytes()

    def test_unknown_suffixes(self, tmp_path):
        with pytest.raises(ValueError, match=r"unknown suffix '.gif' of .*, expected one of .dot, .svg, .png, .pdf"):
            render.write(SIMPLE, tmp_path / "g.gif")
        with pytest.raises(ValueError, match=r"unknown suffix ''"):
            graph.graphvizFile(chain(["a"]), "dot", tmp_path / "g")
        assert not any(tmp_path.iterdir())

    def test_a_missing_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"pygraphnn\.write: there is no folder '.*gone' to write g.svg to"):
            render.write(SIMPLE, tmp_path / "gone" / "g.svg")

    def test_a_failed_drawing_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "g.svg"
        path.write_text("old")
        with pytest.raises(ValueError, match="syntax error"):
            render.write("digraph { -> }", path)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("failing", ["write_bytes", "replace"])
    @pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
    def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch, failing, error):
        path = tmp_path / "g.dot"
        path.write_text("old")

        def fail(*args: Any) -> None:
            if failing == "write_bytes":
                args[0].write_text("half")
            raise error

        monkeypatch.setattr(*((Path, failing) if failing == "write_bytes" else (render.os, failing)), fail)
        with pytest.raises(type(error)):
            render.write(SIMPLE, path)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "link.dot").symlink_to(tmp_path / "file.dot")
        render.write(SIMPLE, tmp_path / "link.dot")
        assert (tmp_path / "link.dot").is_symlink()
        assert (tmp_path / "file.dot").read_text() == SIMPLE

    def test_dot_writes_two_files(self, tmp_path):
        assert graph.dot(chain(["a", "b"]), "The title", tmp_path / "net.v1") is None
        assert sorted(path.name for path in tmp_path.iterdir()) == ["net.v1.dot", "net.v1.svg"]
        assert (tmp_path / "net.v1.dot").read_text() == chain(["a", "b"]).todot("The title")
        assert "The title" in texts_of((tmp_path / "net.v1.svg").read_bytes())


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (graph.dot, "graph.dot"),
        (lambda g: graph.graphvizFile(g, None, "g.svg"), "graph.graphvizFile"),
        (graph.graphvizLayout, "graph.graphvizLayout"),
        (simple_print.todot, "nngraph.simple_print"),
    ],
)
@pytest.mark.parametrize(("g", "kind"), [(mlp(), "nn.gModule"), (None, "nil")])
def test_what_is_no_graph(function, name, g, kind):
    with pytest.raises(
        TypeError, match=rf"^{name}: expected a graph\.Graph, such as the fg of a gModule, got a {kind}$"
    ):
        function(g)


class TestWithoutGraphviz:
    def test_the_error_says_what_to_install(self, nothing_installed):
        for format in ("svg", "png", "pdf"):
            with pytest.raises(
                RuntimeError, match=rf"{format} needs Graphviz.*pip install pygraphnn\[draw\].*graphviz"
            ):
                render.render(SIMPLE, format)
        with pytest.raises(render.RendererMissing):
            graph.graphvizLayout(chain(["a"]))

    def test_the_text_is_written_beside(self, nothing_installed, tmp_path):
        (tmp_path / "g.png").write_text("old")
        with pytest.raises(render.RendererMissing, match=r"pygraphnn\[draw\].*The graph is in .*g\.dot"):
            render.write(SIMPLE, tmp_path / "g.png")
        assert (tmp_path / "g.dot").read_text() == SIMPLE
        assert (tmp_path / "g.png").read_text() == "old"
        with pytest.raises(render.RendererMissing):
            graph.dot(chain(["a", "b"]), "T", tmp_path / "h")
        assert (tmp_path / "h.dot").read_text() == chain(["a", "b"]).todot("T")

    def test_a_notebook_shows_the_description(self, nothing_installed):
        assert chain(["a", "b"])._repr_mimebundle_() == {"text/plain": "<graph.Graph: 2 nodes, 1 edges>"}

    def test_an_unusable_pygraphviz_counts_as_none(self, monkeypatch):
        monkeypatch.setattr(render, "_PYGRAPHVIZ", render._PYGRAPHVIZ.replace("pygraphviz", "pygraphviz_is_broken"))
        monkeypatch.setattr(render.shutil, "which", lambda name: None)
        with pytest.raises(render.RendererMissing):
            render.render(SIMPLE)

    def test_a_program_on_the_path_draws(self, monkeypatch, tmp_path):
        """The program stands in for Graphviz' own: it gets the same arguments and the same input."""
        program = tmp_path / "dot"
        program.write_text(
            f"#!{sys.executable}\n"
            "import sys\n"
            "print('<svg>', *sys.argv[1:], sys.stdin.buffer.read().decode(), '</svg>')\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
        monkeypatch.setattr(render, "_fonts", lambda folder, format: {})
        monkeypatch.setenv("PATH", str(tmp_path))
        picture = render.render(SIMPLE, "svg", "circo").decode()
        assert picture.startswith("<svg> -Kcirco -Tsvg digraph { graph [")
        assert picture.endswith("a -> b } </svg>\n")

    def test_a_program_that_fails(self, monkeypatch):
        failing = [sys.executable, "-c", "import sys; sys.exit('Error: no memory')"]
        monkeypatch.setattr(render, "_commands", lambda format, algorithm: iter([failing]))
        with pytest.raises(ValueError, match="Graphviz cannot draw this text: Error: no memory"):
            render.render(SIMPLE)
        monkeypatch.setattr(render, "_commands", lambda *args: iter([[sys.executable, "-c", ""]]))
        with pytest.raises(ValueError, match="it does not say why"):
            render.render(SIMPLE)

    def test_an_interrupt_is_passed_on(self, monkeypatch):
        def interrupted(*args: Any, **options: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(subprocess, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render.render(SIMPLE)


class TestFonts:
    """A machine without fonts: nothing in the folders for fonts."""

    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(render.sys, "platform", "linux")
        monkeypatch.setattr(render, "FONT_FOLDERS", (str(tmp_path / "none"), str(tmp_path)))
        monkeypatch.delenv("FONTCONFIG_FILE", raising=False)

    @pytest.mark.parametrize("format", ["svg", "png", "pdf", "json0"])
    def test_matplotlibs_font_is_found(self, tmp_path, format):
        variables = render._fonts(tmp_path, format)
        configuration = ElementTree.parse(variables["FONTCONFIG_FILE"])
        assert any(Path(configuration.findtext("dir") or "").glob("DejaVuSans.ttf"))

    def test_pictures_have_letters(self, monkeypatch):
        """The configuration alone, without the system's, so that only its font can be used."""
        alone = render._FONT_CONFIGURATION.replace("/etc/fonts/fonts.conf", "/nowhere/fonts.conf")
        monkeypatch.setattr(render, "_FONT_CONFIGURATION", alone)
        letters, blanks = (
            dark_pixels(render.render(f'digraph {{ a [label="{text}", shape=none] }}', "png"))
            for text in ("III", "   ")
        )
        boxes_would_have_more = dark_pixels(render.render('digraph { a [label="WWW", shape=none] }', "png"))
        assert blanks == 0 < letters < boxes_would_have_more
        assert b"DejaVu" in unpacked(render.render(SIMPLE, "pdf"))

    def test_nothing_at_all(self, monkeypatch, tmp_path):
        monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
        with pytest.warns(UserWarning, match="no fonts found, so that png has boxes.*matplotlib"):
            assert render._fonts(tmp_path, "png") == {}
        assert render._fonts(tmp_path, "svg") == {}

    def test_a_font_of_the_system(self, tmp_path):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "Some.TTF").touch()
        assert render._fonts(tmp_path, "png") == {}

    def test_the_users_configuration_stays(self, monkeypatch, tmp_path):
        monkeypatch.setenv("FONTCONFIG_FILE", "/my/fonts.conf")
        assert render._fonts(tmp_path, "png") == {}

    @pytest.mark.parametrize("platform", ["win32", "darwin"])
    def test_other_systems_have_fonts(self, monkeypatch, tmp_path, platform):
        monkeypatch.setattr(render.sys, "platform", platform)
        assert render._fonts(tmp_path, "png") == {}


class TestShowing:
    @pytest.fixture(autouse=True)
    def desktop(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
        """A desktop whose viewer notes what it was asked to open; temporary files go to tmp_path."""
        opened: list[str] = []
        monkeypatch.setattr(render.sys, "platform", "linux")
        monkeypatch.setattr(render.tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(render.webbrowser, "open", lambda address: not opened.append(address))
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.delenv(name, raising=False)
        return opened

    def picture(self, tmp_path: Path) -> Path:
        (path,) = tmp_path.glob("*/graph.svg")
        assert "The title" in texts_of(path.read_bytes())
        return path

    @pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"])
    def test_on_a_screen(self, monkeypatch, tmp_path, capsys, desktop, variable):
        monkeypatch.setenv(variable, ":0")
        graph.dot(chain(["a", "b"]), "The title")
        assert desktop == [self.picture(tmp_path).as_uri()]
        assert capsys.readouterr().out == ""

    def test_on_a_machine_without_a_screen(self, tmp_path, capsys, desktop):
        graph.dot(chain(["a", "b"]), "The title")
        assert desktop == []
        assert capsys.readouterr().out == f"graph.dot: the picture is in {self.picture(tmp_path)}\n"

    @pytest.mark.parametrize("failure", [False, OSError("no viewer"), render.webbrowser.Error("no viewer")])
    def test_without_a_viewer(self, monkeypatch, tmp_path, capsys, failure):
        def fail(address: str) -> bool:
            if failure:
                raise failure
            return False

        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(render.webbrowser, "open", fail)
        graph.dot(chain(["a", "b"]), "The title")
        assert capsys.readouterr().out == f"graph.dot: the picture is in {self.picture(tmp_path)}\n"

    def test_without_graphviz_the_error_says_where_the_text_is(self, nothing_installed, tmp_path):
        with pytest.raises(render.RendererMissing, match=r"The graph is in .*graph\.dot"):
            graph.dot(chain(["a", "b"]), "The title")
        (path,) = tmp_path.glob("*/graph.dot")
        assert path.read_text() == chain(["a", "b"]).todot("The title")

    @pytest.mark.parametrize("kernel", [True, False])
    def test_in_IPython(self, monkeypatch, tmp_path, desktop, kernel):
        displayed: list[Any] = []
        shell = types.SimpleNamespace(**({"kernel": object()} if kernel else {}))
        package = types.ModuleType("IPython")
        package.get_ipython = lambda: shell
        package.display = types.ModuleType("IPython.display")
        package.display.display = lambda bundle, raw: displayed.append((bundle, raw))
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", package.display)
        graph.dot(chain(["a", "b"]), "The title")
        if kernel:
            ((bundle, raw),) = displayed
            assert raw
            assert "The title" in texts_of(bundle["image/svg+xml"].encode())
            assert not any(tmp_path.glob("*/graph.svg"))
        else:
            assert not displayed
            self.picture(tmp_path)

    def test_a_graph_shows_itself_in_a_notebook(self):
        bundle = chain(["a", "b"])._repr_mimebundle_()
        assert texts_of(bundle["image/svg+xml"].encode()) == ["Node1", "a", "Node2", "b"]
        assert bundle["text/plain"] == "<graph.Graph: 2 nodes, 1 edges>"

    def test_a_large_graph_does_not_unasked(self):
        assert set(chain(list(range(501)))._repr_mimebundle_()) == {"text/plain"}
