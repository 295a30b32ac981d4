"""Count the words of many texts, and add the counts up in a tree.

    python examples/word_count.py            # the sources of the standard library
    python examples/word_count.py texts .txt # every .txt file below a folder

Each leaf counts the words of some files; each knot above adds up a few of those below it:

    count_0   count_1   count_2   count_3
         \\    /              \\    /
        add_1_0             add_1_1
               \\            /
                  add_2_0

Under ``schedule="parallel"`` a knot runs as soon as those below it are done, while other files are still being counted;
``keep_results="needed"`` lets go of counts that have been added up. The program ends by doing the same with
``ProcessPoolExecutor``, whose results are added up by the program itself, and comparing the times.
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from graflow_fast import TaskExecutionContext, task, workflow

WORD = re.compile(r"[^\W\d_]{2,}")
FILES_A_LEAF = 20
BRANCHES = 4  # how many are added up by a knot


def words_of(paths: list[Path]) -> Counter[str]:
    words: Counter[str] = Counter()
    for path in paths:
        words.update(WORD.findall(path.read_text(encoding="utf-8", errors="replace").lower()))
    return words


def texts_below(folder: Path, ending: str) -> list[list[Path]]:
    """Return the files in leaves: each has large and small ones."""
    found = [path for path in folder.rglob(f"*{ending}") if "site-packages" not in path.parts and path.is_file()]
    files = sorted(found, key=lambda path: (path.stat().st_size, path))
    leaves = max(1, len(files) // FILES_A_LEAF)
    return [files[number::leaves] for number in range(leaves)]


# --- the workflow


@task
def count(paths: list[Path]) -> Counter[str]:
    return words_of(paths)


@task(inject_context=True)
def add(ctx: TaskExecutionContext, parts: list[str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(ctx.get_result(part))
    return total


def count_words(leaves: list[list[Path]], **options: Any) -> Counter[str]:
    """Run it; ``options`` are those of ``execute``."""
    with workflow("word_count", schedule="parallel", keep_results="needed") as wf:
        level = [count(task_id=f"count_{number}", paths=paths) for number, paths in enumerate(leaves)]
        height = 0
        while len(level) > 1:
            height += 1
            above = []
            for number, start in enumerate(range(0, len(level), BRANCHES)):
                below = level[start : start + BRANCHES]
                knot = add(task_id=f"add_{height}_{number}", parts=[part.task_id for part in below])
                for part in below:
                    part >> knot
                above.append(knot)
            level = above
        words: Counter[str] = wf.execute(**options)
        return words


# --- the plain way


def the_plain_way(leaves: list[list[Path]]) -> Counter[str]:
    total: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        for words in pool.map(words_of, leaves):
            total.update(words)
    return total


# --- the program


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the words of every text below a folder.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("ending", nargs="?", default=".py", help="of the files; default: .py")
    parser.add_argument("--top", type=int, default=10, help="how many words to show; default: 10")
    arguments = parser.parse_args()
    leaves = texts_below(arguments.folder, arguments.ending)
    if not leaves[0]:
        print(f"word_count: no {arguments.ending} files below {arguments.folder}", file=sys.stderr)
        return 2
    expected, plain = timed(lambda: the_plain_way(leaves))
    words, ours = timed(lambda: count_words(leaves))
    _, again = timed(lambda: count_words(leaves))
    print(f"{sum(map(len, leaves)):,} files, {words.total():,} words, {len(words):,} different ones")
    for word, number in sorted(words.items(), key=lambda item: (-item[1], item[0]))[: arguments.top]:
        print(f"{number:>9,}  {word}")
    print(f"graflow_fast {ours:.2f} s, ProcessPoolExecutor {plain:.2f} s: ratio {ours / plain:.2f}")
    print(f"again, with warm workers: {again:.2f} s: ratio {again / plain:.2f}")
    return 0 if words == expected else 1


if __name__ == "__main__":
    sys.exit(main())
