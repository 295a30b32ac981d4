"""Owns rows V: what it costs to see a run, and how soon it is seen, beside tqdm, rich and Dask's report and stream."""

from __future__ import annotations

from contest import Entry, Goal, Row


def v1(quick: bool) -> Row:
    """A display and a record, beside a bar around a loop."""
    size, steps = (20_000, 200_000) if quick else (200_000, 2_000_000)
    return Row(
        key="V1",
        work="what seeing it costs a group of no-op members",
        unit="ns of processor time a task",
        entries=[
            Entry("progress=True on a terminal", "watching:Cost", size, {"option": "progress"}),
            Entry("record=True", "watching:Cost", size, {"option": "record"}),
            Entry("tqdm around a loop", "watching:Bar", steps, {"library": "tqdm"}),
            Entry("rich.progress.track around a loop", "watching:Bar", steps, {"library": "rich"}),
        ],
        goals=[
            Goal("≤ 10 ns", "progress=True on a terminal", 10),
            Goal("≤ 40 ns", "record=True", 40),
            Goal("≤ tqdm", "record=True", 1, against="tqdm around a loop"),
        ],
        note="The coordinator's, with all its threads: the difference of two runs. Of loops: that of their process.",
    )


def v2(quick: bool) -> Row:
    """A run with its record."""
    size = 20_000 if quick else 1_000_000
    ours, without = "graflow_fast, record=True", "graflow_fast, no record"
    ways = {"Dask": "nothing", "Dask, performance_report": "report", "Dask, get_task_stream": "stream"}
    return Row(
        key="V2",
        work=f"group of {size} no-op members on 2 workers, with its record",
        unit="µs a task",
        entries=[
            Entry(ours, "watching:Recorded", size, {"record": True}, patience=300, warm=1000),
            Entry(without, "watching:Recorded", size, {"record": False}, patience=300, warm=1000),
            *[
                Entry(label, "watching:DaskWatched", 1000, {"way": way}, heavy=True, runs=3)
                for label, way in ways.items()
            ],
        ],
        goals=[Goal("≤ 1.04 × without", ours, 1.04, against=without)],
    )


def _report(key: str, tasks: int, dask: int, seconds: float, kilobytes: float, until: float) -> Row:
    return Row(
        key=key,
        work=f"the report of {tasks} tasks",
        unit="s",
        entries=[
            Entry("graflow_fast", "watching:Report", tasks, warm=0, patience=300),
            Entry("Dask, performance_report", "watching:DaskReport", dask, heavy=True, warm=0, patience=300),
        ],
        goals=[
            Goal(f"made in ≤ {seconds} s", "graflow_fast", seconds),
            Goal(f"≤ {kilobytes:g} kB", "graflow_fast", kilobytes, noted="kB"),
            Goal(f"interactive after ≤ {until} s", "graflow_fast", until, noted="interactive in Chromium after, s"),
            Goal("0 requests", "graflow_fast", 0, noted="requests to a network"),
        ],
        runs=3,
        note="Made from a record that has been read, with all tasks. Of Dask's it is the time that it adds to a run.",
    )


def v3a(quick: bool) -> Row:
    """A small report."""
    return _report("V3a", 126, 126, 0.1, 60, 0.3)


def v3b(quick: bool) -> Row:
    """A large report."""
    return _report("V3b", 50_000 if quick else 1_000_000, 500 if quick else 5_000, 3, 12_000, 3)


def v4(quick: bool) -> Row:
    """How soon commands have answered."""
    lines = {
        "graflow-fast --help": ["graflow_fast", "--help"],
        "graflow-fast runs": ["graflow_fast", "runs", "--store", "{store}"],
        "graflow-fast report, 1000 tasks": ["graflow_fast", "report", "--store", "{store}", "-o", "run.html"],
        "dask --help": ["dask", "--help"],
        "python -c pass": ["timeit", "-n1", "-r1"],
    }
    asked = {"graflow-fast --help": 80, "graflow-fast runs": 100, "graflow-fast report, 1000 tasks": 150}
    return Row(
        key="V4",
        work="commands, from a shell to their end",
        unit="ms",
        entries=[Entry(label, "asking:Command", 1000, {"line": line}, warm=1000) for label, line in lines.items()],
        goals=[Goal(f"≤ {bound} ms", label, bound) for label, bound in asked.items()],
        runs=7,
    )


def v5(quick: bool) -> Row:
    """Where many workers are."""
    workers = 4 if quick else 64
    label = "graflow-fast stacks"
    return Row(
        key="V5",
        work=f"the stacks of {workers} workers in C code that holds the interpreter",
        unit="ms",
        entries=[Entry(label, "asking:Stacks", workers, warm=workers, patience=120)],
        goals=[Goal("≤ 200 ms", label, 200)],
        note="The whole command, Python's start included. All workers compute, and must get a turn to answer.",
    )


def v6(quick: bool) -> Row:
    """What a killed run has."""
    label = "graflow_fast"
    return Row(
        key="V6",
        work="a recorded run that gets SIGKILL",
        unit="s that its record lacks",
        entries=[Entry(label, "asking:Killed", 2, warm=0)],
        goals=[Goal("≤ 0.5 s", label, 0.5)],
    )


def v7(quick: bool) -> Row:
    """How right what_if is about what was."""
    kinds = {"group": 60, "map": 60, "graph": 60, "loops": 30, "retries": 60, "cpu": 60}
    return Row(
        key="V7",
        work="what_if with the workers that a run had: how far it is off",
        unit="% of what was measured",
        entries=[Entry(kind, "asking:WhatIf", size, {"kind": kind}) for kind, size in kinds.items()],
        goals=[Goal("≤ 5 %", kind, 5) for kind in kinds],
        note="Bodies sleep or compute (cpu) for 10 to 50 ms. A third of the retries' tasks fail at first.",
    )


def v8(quick: bool) -> Row:
    """What viewers cost a run."""
    size = 20_000 if quick else 300_000
    return Row(
        key="V8",
        work=f"a recorded chain of {size} steps while it is looked at",
        unit="µs of its processor time a step",
        entries=[
            Entry("with top and serve", "asking:Looked", size, {"viewers": True}),
            Entry("alone", "asking:Looked", size, {"viewers": False}),
        ],
        goals=[Goal("≤ 1.01 × alone", "with top and serve", 1.01, against="alone")],
    )


ROWS = {"V1": v1, "V2": v2, "V3a": v3a, "V3b": v3b, "V4": v4, "V5": v5, "V6": v6, "V7": v7, "V8": v8}
