"""Measure every Python file below a folder: sizes, and the complexity of each function.

    python examples/code_census.py                  # the standard library of this interpreter
    python examples/code_census.py src --workers 4  # any folder

The workflow uses each of the five ways in which a running task can change what happens next:

    list_files >> look_in_cache >> fan_out >> build_report >> remember
                                                quarantine >> remember

- **A group made at run time.** How many batches there are is known only once the files are listed, so `fan_out` makes
  them and hands them to ``ctx.next_task(...)``. It is a plain ``next_task``: the group runs now, and then the normal
  successor, `build_report`. The members of a group run in worker processes; all else is quick, and stays in this one.
- **The channel.** A batch returns its measurements and appends what it could not parse to the channel. The group
  joins in the order of its members, so the list is the same whichever batch ends first.
- **Goto.** When there are unparsable files, `build_report` jumps to `quarantine` instead of going on. A batch could
  jump as well, but a goto out of a group skips what follows the *group*, the report included: so the step that has
  everything in its hands decides.
- **terminate_workflow** ends the run well when nothing changed since the report in the cache was made.
- **cancel_workflow** ends it with an error when there is nothing to measure.

Whatever executes it, the answer is the same: the program ends by checking that, and by measuring what the worker
processes gain.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import heapq
import io
import json
import os
import sys
import sysconfig
import time
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graflow_fast import TaskExecutionContext, parallel, task, workflow
from graflow_fast.exceptions import GraflowWorkflowCanceledError

TOP = 10  # how many functions are kept of each package, for each ranking
BATCH_BYTES = 400_000  # a few tenths of a second of work
SKIPPED_FOLDERS = {"__pycache__", "site-packages", "dist-packages", "node_modules"}
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OSError, tokenize.TokenError)


@dataclass(frozen=True)
class SourceFile:
    path: str  # below the folder
    size: int
    modified: int


@dataclass(frozen=True, order=True)
class Function:
    path: str
    line: int
    name: str
    complexity: int
    lines: int


@dataclass
class Package:
    files: int = 0
    code: int = 0
    comments: int = 0
    functions: int = 0
    complexity: int = 0
    most_complex: list[Function] = field(default_factory=list)
    largest: list[Function] = field(default_factory=list)

    def add(self, other: Package) -> None:
        """Add the numbers of ``other``; in which order packages are added makes no difference."""
        for name in ("files", "code", "comments", "functions", "complexity"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_complex = heapq.nsmallest(TOP, self.most_complex + other.most_complex, key=by_complexity)
        self.largest = heapq.nsmallest(TOP, self.largest + other.largest, key=by_size)


@dataclass
class Report:
    packages: dict[str, Package]
    quarantined: list[tuple[str, str]] = field(default_factory=list)  # (path, reason)

    def total(self) -> Package:
        total = Package()
        for package in self.packages.values():
            total.add(package)
        return total

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        packages = {}
        for name, numbers in data["packages"].items():
            rankings: dict[str, Any] = {
                key: [Function(**f) for f in numbers.pop(key)] for key in ("most_complex", "largest")
            }
            packages[name] = Package(**numbers, **rankings)
        return cls(packages, [(path, reason) for path, reason in data["quarantined"]])


# --- the workflow: tasks, then how they hang together in `census`


@task(inject_context=True)
def list_files(ctx: TaskExecutionContext, folder: str) -> int:
    if not Path(folder).is_dir():
        ctx.cancel_workflow(f"there is no folder {folder}")
        return 0
    files = sorted(python_files(Path(folder)), key=lambda file: file.path)
    if not files:
        ctx.cancel_workflow(f"there are no Python files below {folder}")
    ctx.get_channel().set("files", files)
    return len(files)


@task(inject_context=True)
def look_in_cache(ctx: TaskExecutionContext, folder: str, files: list[SourceFile], cache: str | None) -> Report | None:
    # `folder`, `files` and `cache` come from the channel: a parameter is looked up there by its name.
    key = fingerprint(folder, files)
    ctx.get_channel().set("key", key)
    report = read_cache(cache, key) if cache else None
    if report is not None:
        ctx.terminate_workflow("nothing has changed since the last census")
    return report


@task(inject_context=True)
def fan_out(ctx: TaskExecutionContext, folder: str, files: list[SourceFile]) -> list[str]:
    batches = [
        measure_batch(task_id=f"batch_{number:03}", folder=folder, paths=paths)
        for number, paths in enumerate(balanced(files))
    ]
    ctx.next_task(parallel(*batches) if len(batches) > 1 else batches[0])
    return [batch.task_id for batch in batches]


@task(inject_context=True)
def measure_batch(ctx: TaskExecutionContext, folder: str, paths: list[str]) -> dict[str, Package]:
    packages: dict[str, Package] = {}
    for path in paths:
        try:
            measured = measure(Path(folder, path), path)
        except UNPARSABLE as error:
            ctx.get_channel().append("unparsable", (path, reason_of(error)))
        else:
            packages.setdefault(package_of(path), Package()).add(measured)
    return packages


@task(inject_context=True)
def build_report(ctx: TaskExecutionContext, fan_out: list[str]) -> int:
    # `fan_out` is what the task of that name returned.
    packages: dict[str, Package] = {}
    for batch in fan_out:
        for name, package in ctx.get_result(batch).items():
            packages.setdefault(name, Package()).add(package)
    channel = ctx.get_channel()
    channel.set("report", Report(dict(sorted(packages.items()))))
    unparsable = channel.get("unparsable", [])
    if unparsable:
        ctx.next_task(ctx.graph.get_node("quarantine"), goto=True)
    return len(unparsable)


@task(inject_context=True)
def quarantine(ctx: TaskExecutionContext, report: Report, unparsable: list[tuple[str, str]]) -> None:
    report.quarantined = sorted(unparsable)
    ctx.get_channel().set("report", report)


@task
def remember(report: Report, cache: str | None, key: str) -> Report:
    if cache:
        write_cache(cache, key, report)
    return report


def census(folder: str, cache: str | None = None, **options: Any) -> tuple[Report, Any]:
    """Run the workflow; return the report and the context of the run. ``options`` are those of ``execute``."""
    with workflow("code_census") as wf:
        list_files >> look_in_cache >> fan_out >> build_report >> remember
        quarantine >> remember
        report, context = wf.execute(
            "list_files", initial_channel={"folder": folder, "cache": cache}, ret_context=True, **options
        )
    return report, context


# --- measuring


def python_files(folder: Path) -> Iterator[SourceFile]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS and not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if path.suffix == ".py" and path.is_file():
                status = path.stat()
                yield SourceFile(path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)


def balanced(files: list[SourceFile]) -> list[list[str]]:
    """Split into batches of about the same number of bytes: the largest file next, into the lightest batch."""
    count = min(len(files), 1 + sum(file.size for file in files) // BATCH_BYTES)
    batches: list[tuple[int, int, list[str]]] = [(0, number, []) for number in range(count)]
    for file in sorted(files, key=lambda file: (-file.size, file.path)):
        weight, number, paths = batches[0]
        paths.append(file.path)
        heapq.heapreplace(batches, (weight + file.size + 500, number, paths))
    return [paths for _, _, paths in sorted(batches, key=lambda batch: batch[1])]


def measure(file: Path, path: str) -> Package:
    source = file.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in old files
        tree = ast.parse(source, filename=path)
    code, comments = count_lines(source)
    functions = list(functions_of(tree, path))
    return Package(
        files=1,
        code=code,
        comments=comments,
        functions=len(functions),
        complexity=sum(function.complexity for function in functions),
        most_complex=heapq.nsmallest(TOP, functions, key=by_complexity),
        largest=heapq.nsmallest(TOP, functions, key=by_size),
    )


def count_lines(source: bytes) -> tuple[int, int]:
    code, comments = set[int](), set[int]()
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code), len(comments - code)


def functions_of(tree: ast.Module, path: str) -> Iterator[Function]:
    """Yield each function with its cyclomatic complexity: one, and one more for each place where it branches."""
    complexity: list[int] = [0]  # of the module, then of each function
    found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = []
    waiting: list[tuple[ast.AST, str, int]] = [(tree, "", 0)]  # a stack of our own: files nest deeper than Python
    while waiting:
        node, prefix, owner = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((prefix + node.name, node))
            complexity.append(1)
            prefix, owner = f"{prefix}{node.name}.", len(complexity) - 1
        elif isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}."
        elif isinstance(node, BRANCHES):
            complexity[owner] += 1
        elif isinstance(node, ast.BoolOp):
            complexity[owner] += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            complexity[owner] += 1 + len(node.ifs)
        waiting.extend((child, prefix, owner) for child in ast.iter_child_nodes(node))
    for (name, node), measured in zip(found, complexity[1:], strict=True):
        yield Function(path, node.lineno, name, measured, (node.end_lineno or node.lineno) - node.lineno + 1)


def by_complexity(function: Function) -> tuple[int, Function]:
    return -function.complexity, function


def by_size(function: Function) -> tuple[int, Function]:
    return -function.lines, function


def package_of(path: str) -> str:
    return path.split("/")[0] if "/" in path else "(modules)"


def reason_of(error: Exception) -> str:
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    text = error.strerror if isinstance(error, OSError) else getattr(error, "msg", None) or str(error)
    return f"{type(error).__name__}: {text}{line}" if text else type(error).__name__


# --- the cache: one file for each folder, readable by its owner only


def default_cache(folder: str) -> str:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:16]
    return str(base / "graflow_fast" / "code_census" / f"{name}.json")


def fingerprint(folder: str, files: list[SourceFile]) -> str:
    program = Path(__file__).stat().st_mtime_ns
    parts = [sys.version, program, os.path.realpath(folder), *((file.path, file.size, file.modified) for file in files)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def read_cache(cache: str, key: str) -> Report | None:
    try:
        data = json.loads(Path(cache).read_text())
        return Report.from_json(data["report"]) if data["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none yet, or not one of ours


def write_cache(cache: str, key: str, report: Report) -> None:
    path = Path(cache)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"key": key, "report": asdict(report)}, file)
    partial.replace(path)


# --- the program


def show(report: Report, top: int) -> None:
    total = report.total()
    print(f"{total.files:,} files, {total.code:,} lines of code, {total.functions:,} functions")
    print(f"\n{'package':<20}{'files':>7}{'code':>10}{'functions':>11}{'mean':>6}  most complex function")
    for name, package in sorted(report.packages.items(), key=lambda item: (-item[1].code, item[0]))[:top]:
        mean = package.complexity / max(1, package.functions)
        worst = f"{package.most_complex[0].name} ({package.most_complex[0].complexity})" if package.functions else "-"
        print(f"{name:<20.19}{package.files:>7,}{package.code:>10,}{package.functions:>11,}{mean:>6.1f}  {worst}")
    for title, functions in (("most complex", total.most_complex), ("largest", total.largest)):
        print(f"\n{title + ' functions':<38}{'complexity':>10}{'lines':>7}  where")
        for f in functions[:top]:
            print(f"{f.name:<38.37}{f.complexity:>10,}{f.lines:>7,}  {f.path}:{f.line}")
    if report.quarantined:
        print(f"\n{len(report.quarantined)} files in quarantine")
        for path, reason in report.quarantined:
            print(f"  {path}: {reason}")


def compare(folder: str, expected: Report, workers: int, rounds: int) -> bool:
    """Run without cache on each executor in turns; print times, and say whether all reports are the same."""
    ways: dict[str, dict[str, Any]] = {"inline": {"executor": "inline"}}
    for count in sorted({1, 2, workers}):
        ways[f"{count} worker{'s' if count > 1 else ''}"] = {"executor": "auto", "max_workers": count}
    times: dict[str, list[float]] = {name: [] for name in ways}
    differing = set()
    for _ in range(rounds):
        for name, options in ways.items():
            started = time.perf_counter()
            report, _ = census(folder, **options)
            times[name].append(time.perf_counter() - started)
            if report != expected:
                differing.add(name)
    print(f"\n{'executor':<12}{'seconds':>9}{'speed-up':>10}  report")
    for name in ways:
        # Each time is divided by that of the same round, so that a busy moment of the machine weighs on both.
        pairs = sorted(base / spent for base, spent in zip(times["inline"], times[name], strict=True))
        verdict = "DIFFERS" if name in differing else "identical"
        print(f"{name:<12}{min(times[name]):>9.2f}{pairs[len(pairs) // 2]:>9.2f}x  {verdict}")
    return not differing


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure every Python file below a folder.")
    parser.add_argument("folder", nargs="?", default=sysconfig.get_path("stdlib"), help="default: standard library")
    parser.add_argument("--workers", type=int, help="worker processes; default: the usable cores")
    parser.add_argument("--executor", default="auto", help="auto, inline, process, dask://HOST:PORT or ray")
    parser.add_argument("--cache", metavar="FILE", help="where to keep the report; default: in your cache folder")
    parser.add_argument("--top", type=int, default=TOP, help=f"how many lines of each table; at most {TOP}")
    parser.add_argument("--rounds", type=int, default=1, help="how often each executor is measured; default: 1")
    parser.add_argument("--no-speedup", action="store_true", help="only the report, no comparison of executors")
    arguments = parser.parse_args()
    cache = arguments.cache or default_cache(arguments.folder)
    started = time.perf_counter()
    try:
        report, context = census(arguments.folder, cache, executor=arguments.executor, max_workers=arguments.workers)
    except GraflowWorkflowCanceledError as error:
        print(f"code_census: {error}", file=sys.stderr)
        return 2
    show(report, arguments.top)
    print(f"\n{context.ctrl_message or 'completed'} ({time.perf_counter() - started:.2f} s)")
    if arguments.no_speedup:
        return 0
    workers = arguments.workers or len(os.sched_getaffinity(0))
    is_same = compare(arguments.folder, report, workers, arguments.rounds)
    _, context = census(arguments.folder, record=Path(cache).with_name("runs.db"), max_workers=workers)  # to look back
    context.run.report(page := Path(cache).with_name("report.html"))
    print(f"\n{context.run.summary()}\n  written to {page}")
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
