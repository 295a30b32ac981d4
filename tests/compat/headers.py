"""What a compatibility program says about itself in its docstring.

The first line is the behaviour it shows. `differs: <why>` means that graflow 0.2.0 answers otherwise.
`executors: auto inline (reason)` names the executors it makes sense for.
"""

import ast
import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
EXPECTED = HERE / "expected"
EXECUTORS = ("auto", "inline", "thread", "process")


def names() -> list[str]:
    """All programs."""
    return sorted(path.stem for path in PROGRAMS.glob("*.py"))


@cache
def header(name: str) -> dict[str, str]:
    """The `key: value` paragraphs of a program's docstring."""
    doc = ast.get_docstring(ast.parse((PROGRAMS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    found: dict[str, str] = {"title": doc.partition("\n")[0]}
    for key, value in re.findall(r"^(differs|executors): ((?:.+\n?)+)", doc, re.MULTILINE):
        found[key] = " ".join(value.split())
    return found


def executors(name: str) -> tuple[str, ...]:
    """The executors a program is meant for."""
    said = header(name).get("executors")
    if said is None:
        return EXECUTORS
    return tuple(word for word in said.partition("(")[0].split() if word in EXECUTORS)
