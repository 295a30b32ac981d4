"""Draws docs/progress.svg and docs/report.png: what a run looks like while it goes, and its report, from a real run.

``make pictures`` runs it. The run is that of examples/code_census.py, in a terminal of the tests; its report is opened
by Chromium. Knows nothing of how either is made.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "tests" / "progress"))

from terminal import Terminal  # noqa: E402 - it is found there only now

COLUMNS, ROWS = 90, 16
LETTER, LINE, MARGIN = 8.43, 20, 14
RUN = """
import os, sys
os.chdir({folder!r})
from graflow_fast._commands.main import main
options = ["--record", "--store", "runs.db", "--workers", "2"]
sys.exit(main(["run", *options, {program!r}, "--no-speedup", "--cache", "cache.json"]))
"""
#: The block of the display when a good part is done, and what functions take is known.
WANTED = re.compile(r"code_census.* [5-8]\d%.*\n.* each\b", re.MULTILINE)


def run(folder: Path) -> str:
    """Run the program; return what the terminal showed in its midst."""
    program = RUN.format(folder=str(folder), program=str(ROOT / "examples" / "code_census.py"))
    path = os.pathsep.join(filter(None, [str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]))
    terminal = Terminal(program, columns=COLUMNS, rows=ROWS, PYTHONPATH=path)
    midst = terminal.wait_until(lambda text: WANTED.search(text) is not None, seconds=600)
    if terminal.finish(600) != 0:
        raise RuntimeError(f"the example failed:\n{terminal.screen.text()}")
    return "\n".join(midst.rstrip().splitlines()[-5:]).strip("\n")


def screen(text: str) -> str:
    """Return a picture of a terminal with these lines."""
    lines = text.splitlines()
    width, height = round(COLUMNS * LETTER + 2 * MARGIN), len(lines) * LINE + 2 * MARGIN
    drawn = "\n  ".join(
        f'<text x="{MARGIN}" y="{MARGIN + LINE * number + 14}" xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img">\n  <style>text { font: 14px "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace; '
        "fill: #e6edf3; white-space: pre; }</style>\n"
        f'  <rect width="{width}" height="{height}" rx="8" fill="#16191d"/>\n  {drawn}\n</svg>\n'
    )


def looked_back(store: Path) -> str:
    """Return what `graflow-fast show` says first of a run, in lines that the terminal has room for."""
    from graflow_fast import load_run

    lines = load_run(store).summary().splitlines()
    return "\n".join(line if len(line) <= COLUMNS else f"{line[: COLUMNS - 1]}…" for line in lines)


def photograph(store: Path, picture: Path) -> None:
    """Have a browser show the report of a run and keep what is seen."""
    from playwright.sync_api import sync_playwright

    from graflow_fast import load_run

    page_file = store.with_name("run.html")
    load_run(store).report(page_file)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 860})
        page.goto(page_file.as_uri())
        page.wait_for_selector("html[data-ready=yes]")
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "runs.db"
        shown = f"$ graflow-fast run --record code_census.py\n{run(Path(name))}"
        shown += f"\n\n$ graflow-fast show\n{looked_back(store)}"
        (DOCS / "progress.svg").write_text(screen(shown), encoding="utf-8")
        photograph(store, DOCS / "report.png")
    print(shown)
