"""Write docs/errors.md: every program of docs/errors, and what its user sees, by running it.

    python docs/generate_errors.py            writes the page (make docs)
    python docs/generate_errors.py --check    says whether the page is what the programs show

A program's docstring is its heading and what to do about the error. What differs from run to run or from machine to
machine (paths, addresses, sizes, lines of the package itself) is written in a neutral way; nothing else is changed.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DOCS = Path(__file__).parent
PROGRAMS = DOCS / "errors"
PAGE = DOCS / "errors.md"
PACKAGE = DOCS.parent / "python" / "graflow_fast"

#: Headings by the first word of the programs' names, in the order of the page.
SECTIONS = {
    "defining": "Defining tasks",
    "starting": "Starting a workflow",
    "running": "Running",
    "control": "Control from inside a task",
    "groups": "Groups",
    "workers": "Worker processes",
    "checkpoints": "Checkpoints",
    "durable": "Durable runs",
    "refused": "What is left to graflow, or not installed",
}

INTRODUCTION = """# Errors as you see them

Every error and warning of graflow_fast, by a small program that provokes it. The page is made by running the programs
of [docs/errors](errors), here with Python {version}; a test does it again and compares. `make docs` writes it.

All errors are classes of `graflow_fast.exceptions`, subclasses of `GraflowError`; those of a run are subclasses of
`GraflowRuntimeError`. `TaskError` is for bodies that want one with a task's id. All can be pickled.

Your own lines stand in the tracebacks, those of graflow_fast are left out as far as possible
(`GRAFLOW_FAST_FULL_TRACEBACK=1` shows them). `context.explain(task_id)` says in one sentence what became of a task.
"""


def main() -> int:
    """Write the page, or compare it; return the exit code."""
    made = page()
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == made:
        return 0
    print("docs/errors.md is not what the programs show; run: make docs")
    return 1


def page() -> str:
    """Return the page as it should be now."""
    names = sorted(path.stem for path in PROGRAMS.glob("*.py"))
    strangers = [name for name in names if name.partition("_")[0] not in SECTIONS]
    if strangers:
        raise SystemExit(f"no section for {strangers}")
    with ThreadPoolExecutor(2) as pool:
        shown = dict(zip(names, pool.map(seen_by_user, names), strict=True))
    parts = [INTRODUCTION.format(version=f"{sys.version_info[0]}.{sys.version_info[1]}")]
    for section, title in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            if name.partition("_")[0] == section:
                parts.append(_entry(name, shown[name]))
    return "\n".join(parts)


def seen_by_user(name: str) -> str:
    """Run a program as a script of its own and return what appears on the terminal."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory).resolve() / "program.py"
        script.write_text(_code(name), encoding="utf-8")
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("GRAFLOW_FAST", "PYTHON"))
        }
        done = subprocess.run(
            [sys.executable, "-u", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=directory,
            env=environment | {"GRAFLOW_FAST_WORKERS": "2"},
            timeout=120,
        )
        return neutral(done.stdout, str(script.parent))


def neutral(text: str, directory: str) -> str:
    """Replace what differs from run to run, or from machine to machine."""
    text = text.replace(f"{directory}/", "")
    text = text.replace(f"{PACKAGE.parent}/", "")
    text = re.sub(r'"/[^"\n]*/lib/python3[^/]*/', '"', text)
    text = re.sub(r'(File "graflow_fast/[^"]*", line) \d+', r"\1 ...", text)
    text = re.sub(r'(File "(?!program\.py|graflow_fast/)[^"]*", line) \d+', r"\1 ...", text)
    text = re.sub(r"^\s*[~^]+\s*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x...", text)
    text = re.sub(r"\d+(\.\d)? (KB|MB|GB)(?=\.| ?\)| of| and)", r"... \2", text)
    text = re.sub(r"^(Python|bytecode|machine|cloudpickle)  .*", r"\1  ...", text, flags=re.MULTILINE)
    return text.rstrip() + "\n"


def _entry(name: str, shown: str) -> str:
    title, _, advice = (ast.get_docstring(ast.parse(_source(name))) or "").partition("\n")
    return (
        f"### {title.rstrip('.')}\n\n```python\n{_code(name).strip()}\n```\n\n```text\n{shown}```\n\n{advice.strip()}\n"
    )


def _source(name: str) -> str:
    return (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")


def _code(name: str) -> str:
    """A program without its docstring."""
    source = _source(name)
    first = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[first.end_lineno :]).strip("\n") + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
