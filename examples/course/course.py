"""The lecture's systems, in its order.

    python -m examples.course                        lists them
    python -m examples.course --run                  runs them all, and gathers their pictures on course/index.html
    python -m examples.course --run --short          the same with as little training as shows something
    python -m examples.course --run rnn lstm         these only

(in the project's folder). Each of them can be run by itself: python examples/course/rnn.py --help
"""

from __future__ import annotations

import argparse
import ast
import html
import os
import subprocess
import sys
import time
from pathlib import Path

from torch7.replacing import replace

HERE = Path(__file__).resolve().parent
COURSE = (
    "neuron",
    "mlp",
    "cnn",
    "rnn",
    "bptt",
    "gradient_flow",
    "clipping",
    "irnn",
    "lstm",
    "classify",
    "tagging",
    "translate",
    "caption",
    "handwriting",
    "lyrics",
    "painting",
    "interpret",
    "execute",
)
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Recurrent networks, running</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
pre {{ background: #f4f4f4; padding: 1em; overflow-x: auto; font-size: 13px; line-height: 1.35 }}
img {{ max-width: 100%; display: block; margin: 1em 0 }}
</style>
<h1>Recurrent networks, running</h1>
<ul>
{contents}</ul>
{sections}</html>
"""


def description(name: str) -> str:
    """What a program says about itself."""
    return ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""


def title(name: str) -> str:
    """The first line of a program's description."""
    return description(name).splitlines()[0]


def run(name: str, output: Path, short: bool) -> tuple[str, bool]:
    """Runs a program in a process of its own; gives what it printed, and whether it succeeded."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--output", str(output), *(["--short"] if short else [])]
    path = os.pathsep.join(filter(None, [str(HERE.parent.parent), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
    ) as running:
        out, _ = running.communicate()
    return out.decode(), running.returncode == 0


def section(name: str, told: str, files: list[Path]) -> str:
    """A part of the page: what a program says, what it printed, and what it wrote."""
    about = description(name)
    text = f'<h2 id="{name}">{name}.py: {html.escape(title(name))}</h2>\n'
    text += f"<pre>{html.escape(about.partition(chr(10))[2].strip(chr(10)))}</pre>\n<pre>{html.escape(told)}</pre>\n"
    for file in files:
        if file.suffix in (".png", ".svg"):
            text += f'<img src="{file.name}" alt="{html.escape(file.stem)}">\n'
        else:
            text += f'<p><a href="{file.name}">{file.name}</a></p>\n'
    return text


def gather(names: list[str], output: Path, short: bool) -> list[str]:
    """Runs programs, and after each writes the page of those that have run; returns the names of those that failed."""
    output.mkdir(parents=True, exist_ok=True)
    failed, contents, sections = [], "", ""
    for name in names:
        start = time.perf_counter()
        told, fine = run(name, output, short)
        failed += [] if fine else [name]
        print(f"{name}: {'' if fine else 'failed after '}{time.perf_counter() - start:.0f} s", flush=True)
        files = [Path(line.removeprefix("wrote ")) for line in told.splitlines() if line.startswith("wrote ")]
        contents += f'<li><a href="#{name}">{name}</a>: {html.escape(title(name))}</li>\n'
        sections += section(name, told, [file for file in files if file.exists()])
        replace(output / "index.html", PAGE.format(contents=contents, sections=sections).encode())
    print(f"wrote {output / 'index.html'}")
    return failed


def main(words: list[str] | None = None) -> None:
    """Lists the programs, or runs them."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.course", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which programs (default: all)")
    parser.add_argument("--run", action="store_true", help="run them")
    parser.add_argument("--short", action="store_true", help="with as little training as shows something")
    parser.add_argument("--output", type=Path, default=Path("course"), help="folder to write to (default: course)")
    options = parser.parse_args(words)
    for name in options.names:
        if name not in COURSE:
            parser.error(f"there is no {name!r}, expected some of {', '.join(COURSE)}")
    names = options.names or list(COURSE)
    if not options.run:
        for name in names:
            print(f"{name:15}{title(name)}")
        return
    failed = gather(names, options.output, options.short)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
