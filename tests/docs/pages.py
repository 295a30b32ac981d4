"""What the tests of the pages share: which pages there are, and the snippets on them.

It reads pages and knows no way to run what is on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])

#: Pages whose snippets other tests run: the errors page is made by running them, and those of the page on differences
#: are short forms of programs of tests/compat; LLMs and feedback need graflow (tests/lent).
RUN_ELSEWHERE = {"docs/errors.md", "docs/compatibility.md", "docs/howto/llms-and-people.md"}

# A snippet, with the output that follows it (nothing but blank lines between).
_SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Snippet:
    """A program on a page, and what the page says that it prints (None: nothing is said)."""

    name: str
    code: str
    output: str | None


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def snippets_of(page: Path) -> list[Snippet]:
    found = _SNIPPET.finditer(page.read_text(encoding="utf-8"))
    stem = name_of(page).removeprefix("docs/").removesuffix(".md")
    return [Snippet(f"{stem}-{number}", match["code"], match["output"]) for number, match in enumerate(found, 1)]


def all_snippets() -> list[Snippet]:
    return [snippet for page in PAGES if name_of(page) not in RUN_ELSEWHERE for snippet in snippets_of(page)]
