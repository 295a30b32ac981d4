"""Find functions that stand in several files in the same way, in a job that may be killed at any time.

    python examples/resumable_pipeline.py                # over the standard library
    python examples/resumable_pipeline.py FOLDER
    kill -9 it, as often as you like, and start it again

    survey >> (read_0 | read_1 | ...) >> compare

The run is durable and named after what it is about, so starting the program again goes on with it: parts that were read
are not read again, and the report is that of a run that nobody killed. When it is done, the report is given back at
once; ``--again`` begins a new one. What lies in the store: ``graflow-fast runs`` and ``graflow-fast show``.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from graflow_fast import TaskExecutionContext, parallel, task, workflow

#: Files of a part, so that a kill costs about a second of reading for each worker.
FILES_OF_A_PART = 12
#: Functions of fewer lines are alike by chance.
SHORTEST = 6

#: Of a function: what it looks like; and where it stands.
Places = dict[str, list[str]]


def shape_of(function: ast.AST) -> str:
    """Return a digest of a function without its name, comments, documentation and lines."""
    body = [part for part in function.body if not _is_text(part)]  # type: ignore[attr-defined]
    shown = "\n".join(ast.dump(part) for part in [function.args, *body])  # type: ignore[attr-defined]
    return hashlib.blake2b(shown.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _is_text(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)


def functions_in(file: Path, name: str) -> Places:
    """Return the functions of a file; one that can't be parsed has none."""
    found: Places = defaultdict(list)
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    for node in ast.walk(tree):
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if is_function and (node.end_lineno or 0) - node.lineno + 1 >= SHORTEST:
            found[shape_of(node)].append(f"{name}:{node.lineno} {node.name}")
    return dict(found)


def build(folder: Path) -> Any:
    """Return the workflow over the Python files of a folder."""
    with workflow("clones") as wf:

        @task
        def read(files: list[str]) -> tuple[Places, int]:
            places: Places = defaultdict(list)
            for name in files:
                for shape, where in functions_in(folder / name, name).items():
                    places[shape] += where
            return dict(places), os.getppid()  # which the workers of one process of the program have in common

        @task(inject_context=True)
        def survey(ctx: TaskExecutionContext) -> list[str]:
            names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
            names = [name for name in names if not name.startswith("site-packages")]
            parts = [names[first : first + FILES_OF_A_PART] for first in range(0, len(names), FILES_OF_A_PART)]
            members = [read(task_id=f"read_{n}", files=files) for n, files in enumerate(parts)]
            ctx.next_task(parallel(*members).set_group_name("read_all") >> compare)
            return [member.task_id for member in members]

        @task(inject_context=True)
        def compare(ctx: TaskExecutionContext, survey: list[str]) -> dict[str, Any]:
            places: Places = defaultdict(list)
            processes: Counter[int] = Counter()
            for name in survey:
                found, process = ctx.get_result(name)
                processes[process] += 1
                for shape, where in found.items():
                    places[shape] += where
            clones = [where for where in places.values() if len(where) > 1]
            return {
                "functions": sum(map(len, places.values())),
                "clones": sorted(clones, key=lambda where: (-len(where), where)),
                "processes": list(processes.values()),
            }

    return wf


def main() -> int:
    parser = argparse.ArgumentParser(description="Find functions that stand in several files in the same way.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(sysconfig.get_paths()["stdlib"]))
    parser.add_argument("--store", type=Path, help="the store of runs; default: .graflow_fast/runs.db")
    parser.add_argument("--workers", type=int, help="worker processes; default: as many as there are cores")
    parser.add_argument("--again", action="store_true", help="begin anew, also when a run is there")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    run = f"clones in {folder}" + (f" at {time.time():.0f}" if arguments.again else "")
    began = time.perf_counter()
    report = build(folder).execute(
        durable=arguments.store or True,
        run=run,
        start_node="survey",
        max_workers=arguments.workers,
    )
    print(f"{report['functions']} functions of {SHORTEST} lines or more, {len(report['clones'])} stand several times:")
    for where in report["clones"][:10]:
        print(f"  {len(where)} times: {', '.join(where[:3])}{', ...' if len(where) > 3 else ''}")
    read = " and ".join(map(str, report["processes"])) or "0"
    print(f"parts read by each process of the run: {read}; the last one took {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
