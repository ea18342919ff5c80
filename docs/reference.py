"""Writes docs/nn.md, the table of all classes of nn, from the code.

python docs/reference.py
"""

from __future__ import annotations

import inspect
import re
import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import nn  # noqa: E402

HEAD = """# The classes of nn

Every class with its constructor's arguments and the first sentence of its documentation, by family; `help(nn.Linear)`
tells the rest: formula, shapes, errors, source, an example. Arguments and dimensions count as in Torch, from 1.
This page is drawn from the code by `python docs/reference.py`.
"""


def family(cls: type) -> str:
    """The file of a class, as a path below nn."""
    return cls.__module__.replace(".", "/") + ".py"


def arguments(cls: type) -> str:
    """The constructor's arguments as one writes them."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return ", ".join(re.sub(r"<.*?>", "...", str(p)) for p in plain)


def sentence(cls: type) -> str:
    """The first sentence of a docstring."""
    paragraph = " ".join(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())
    return re.sub(r"([|*])", r"\\\1", re.split(r"(?<=\.) (?=[A-Z])", paragraph, maxsplit=1)[0])


def page() -> str:
    """The text of docs/nn.md."""
    classes = [c for c in (getattr(nn, name) for name in nn.__all__) if isinstance(c, type)]
    text = [HEAD]
    for path, members in groupby(sorted(classes, key=lambda c: (family(c), c.__name__)), family):
        title = (inspect.getdoc(sys.modules[path[:-3].replace("/", ".")]) or "").split("\n")[0].rstrip(".")
        text += [f"\n## {title}\n", f"`{path}`\n", "| class | what it does |", "|---|---|"]
        text += [f"| `{c.__name__}({arguments(c)})` | {sentence(c)} |" for c in members]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "nn.md").write_text(page())
