"""Runs the programs of the course as they are, and puts their pictures and what they print on their pages.

python docs/course_pages.py [NAME...]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "course")]

from course import COURSE, run  # noqa: E402
from torch7.replacing import replace  # noqa: E402

PAGES = ROOT / "docs" / "course"


def fill(page: Path, told: str) -> None:
    """Puts what a program printed between the marks of its page."""
    told = "\n".join(line.rstrip() for line in told.replace(f"wrote {PAGES}/", "wrote ").splitlines())
    before, rest = page.read_text(encoding="utf-8").split("<!-- output -->\n")
    after = rest.split("<!-- end -->")[1]
    replace(page, f"{before}<!-- output -->\n```\n{told}\n```\n<!-- end -->{after}".encode())


def main(names: list[str]) -> None:
    """Writes the pictures, and what the programs print."""
    for name in names:
        told, fine = run(name, PAGES, short=False)
        if not fine:
            sys.exit(f"{name} failed")
        fill(PAGES / f"{name}.md", told)
        print(f"docs/course/{name}.md")


if __name__ == "__main__":
    main(sys.argv[1:] or list(COURSE))
