"""The rows of *No cliffs* and METG: shapes, the bisection, the reader of prints, and contestants that do their work.

Nothing here asserts a time; that work was done is checked by the contestants themselves, so here it is seen that they
would notice if it weren't.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).resolve().parents[2] / "benches"


def test_shapes_name_only_tasks_before_them(load):
    shapes = load("shapes")
    for make in [
        *shapes.SHAPES.values(),
        *(lambda size, n=name: shapes.pattern(n, 16, size) for name in shapes.METG_PATTERNS),
    ]:
        shape = make(200)
        assert len(shape) >= 200
        assert all(before < number for number, predecessors in enumerate(shape) for before in predecessors)
        assert len(shapes.values(shape)) == len(shape)


def test_shapes_by_hand(load):
    shapes = load("shapes")
    assert shapes.fan(4) == [(), (0,), (0,), (1, 2)]
    assert shapes.pairs(4) == [(), (0,), (), (2,)]
    assert shapes.groups(4, members=2) == [(), (), (0, 1), (0, 1)]
    assert shapes.pattern("stencil_1d", 3, 6) == [(), (), (), (0, 1), (0, 1, 2), (1, 2)]
    assert shapes.pattern("tree", 4, 7) == [(), (0,), (0,), (1,), (1,), (2,), (2,)]
    assert shapes.values([(), (0,), (0,), (1, 2)]) == [1, 2, 2, 5]


@pytest.mark.parametrize("beside", [3e-6, 12e-6, 500e-6, 2e-3])
@pytest.mark.parametrize("guess", [1e-6, 100e-6, 10e-3])
def test_bisection_finds_the_body_at_which_half_is_useful(load, beside, guess):
    """With so many seconds a task beside bodies that two workers share, the answer is known: twice as many."""
    granularity = load("granularity")
    found = granularity.smallest(lambda body: body / 2 / (beside + body / 2), guess)
    assert 2 * beside <= found <= 2 * beside * granularity.PRECISION


def test_bisection_gives_up_where_nothing_is_ever_useful(load):
    with pytest.raises(RuntimeError, match="less than half"):
        load("granularity").smallest(lambda body: 0.1, 1e-3)


def test_rows_are_ordered_as_in_the_budgets_and_chosen_by_the_beginning(load):
    run = load("run")
    kinds = [key.split("-")[0].rstrip("abcdefgh0123456789") for key in run.ROWS]
    assert sorted(set(kinds), key=kinds.index) == ["S", "N", "METG", "M", "D", "V", "E"]
    assert kinds == sorted(kinds, key=["S", "N", "METG", "M", "D", "V", "E"].index)
    assert run.chosen("N6,N10") == ["N6", "N10a", "N10b"]
    assert run.chosen("METG") == [key for key in run.ROWS if key.startswith("METG-")]
    assert run.chosen("METG-fft") == ["METG-fft"]
    assert {key.rstrip("abc") for key in run.chosen("N")} == {f"N{number}" for number in range(1, 20)}


def test_every_row_of_no_cliffs_stands_beside_somebody(load):
    run = load("run")
    for key in run.chosen("N,METG"):
        row = run.ROWS[key](False)
        assert row.beside is None or row.beside in [entry.label for entry in row.entries]
        assert len(row.entries) >= 2, key


def program(tmp_path: Path, lines: str) -> str:
    """What a program says that has the modules of benches/ beside it."""
    path = tmp_path / "program.py"
    path.write_text(f"import sys\nsys.path.insert(0, {str(BENCHES)!r})\n{lines}")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_reader_of_prints_counts_those_of_children_too(tmp_path):
    said = program(
        tmp_path,
        "import os\n"
        "from drain import Drain\n"
        "out = os.fdopen(os.dup(1), 'w')\n"
        "drain = Drain()\n"
        "print('one'); print('two')\n"
        "first = drain.lines()\n"
        "child = os.fork()\n"
        "if not child: os.write(1, b'three\\n'); os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(first, drain.lines(), drain.lines(), file=out)\n"
        "drain.close()\n",
    )
    assert said == "2 1 0\n"


def test_processor_time_is_told_of_this_process_and_of_its_children(tmp_path):
    said = program(
        tmp_path,
        "import os, signal\n"
        "from bodies import spin\n"
        "from processor import COORDINATOR, WORKERS, watched\n"
        "asked, answer = os.pipe()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os.read(asked, 1); spin(0.05); os.kill(os.getppid(), signal.SIGUSR1); signal.pause()\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
        "def work():\n"
        "    spin(0.02); os.write(answer, b'x'); signal.sigwait([signal.SIGUSR1])\n"
        "seconds, notes = watched(work, 10)\n"
        "os.kill(child, signal.SIGKILL); os.waitpid(child, 0)\n"
        "print(notes[COORDINATOR] >= 2_000, notes[WORKERS] >= 4_900, seconds >= 0.02)\n",
    )
    assert said == "True True True\n"


CONTESTANTS = {
    "kinds": [
        "Members('closures')",
        "Members('say')",
        "Members('traced')",
        "Members('iterating')",
        "Members('enqueueing')",
        "Pairs()",
        "Batches()",
    ],
    "byhand": ["Loop('enqueueing')", "Loop('say')", "Loop('adding')"],
    "graphs": [
        "GraphTasks('stencil_1d', passing='context')",
        "GraphTasks('fft', passing='parameters')",
        "GraphTasks('fan')",
        "PeerGraph('executor', 'spread')",
        "PeerGraph('threads', 'pairs', passing=False)",
    ],
    "threads": ["Beside()"],
    "maps": ["Appending()", "Printing()"],
    "big_data": ["Results()"],
}


@pytest.mark.parametrize("module", CONTESTANTS)
def test_contestants_do_their_work(tmp_path, module):
    """Those of a module in one program, so that its pool starts once."""
    said = program(
        tmp_path,
        "import os\n"
        "out = os.fdopen(os.dup(1), 'w')\n"
        f"from {module} import *\n"
        "if __name__ == '__main__':\n"
        f"    for make in [{', '.join(f'lambda: {made}' for made in CONTESTANTS[module])}]:\n"
        "        contestant = make()\n"
        "        got = contestant.run(20)\n"
        "        print((got if isinstance(got, float) else got['value']) > 0, file=out, flush=True)\n"
        "        contestant.close()\n",
    )
    assert said == "True\n" * len(CONTESTANTS[module])


def test_a_graph_whose_tasks_miss_a_result_is_no_figure(load):
    graphs, shapes = load("graphs"), load("shapes")

    class Early:
        def graph(self, body, shape, seconds, passing):
            return [*shapes.values(shape)[:-1], 0]

    with pytest.raises(RuntimeError, match="another result"):
        graphs.peer_seconds(Early(), shapes.fan(5), 0, True)


def test_a_class_of_the_programs_own_file_is_that_of_main(load):
    """Rows N3 and N16 would measure something else if it could be imported."""
    contest = load("contest")
    row = contest.Row(
        key="T",
        work="test",
        unit="µs",
        entries=[
            contest.Entry("ours", "__main__:Group", 20, program="script.py"),
            contest.Entry("by hand", "__main__:Loop", 20, {"way": "submit"}, program="script.py"),
            contest.Entry("elsewhere", "script:Group", 20),
        ],
        goals=[],
        runs=1,
    )
    ours, loop, elsewhere = contest.hold(row, lambda line: None, patience=60)
    assert ours.error is None
    assert loop.error is None
    assert "no class of the program" in str(elsewhere.error)


def test_a_goal_may_be_about_a_note(load):
    contest, report = load("contest"), load("report")
    outcome = contest.Outcome("ours", 1, [400.0], {"µs a task": 7.0})
    assert report.verdict(contest.Goal("≤ 6", "ours", 6, noted="µs a task"), [outcome])[1] == "**falls short**"
    assert report.verdict(contest.Goal("≤ 8", "ours", 8, noted="µs a task"), [outcome])[1] == "met"
    assert report.verdict(contest.Goal("≤ 8", "ours", 8, noted="other"), [outcome])[1] == "not measured"


def test_the_page_holds_older_figures_against_what_is_asked_now(load, tmp_path, monkeypatch):
    contest, report = load("contest"), load("report")
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(report, "plot", lambda rows: False)
    then, now = contest.Goal("≤ 9 µs", "ours", 9), contest.Goal("≤ 5 µs", "ours", 5)
    row = contest.Row(key="N1", work="test", unit="µs", entries=[], goals=[then], beside="loop")
    measured = [contest.Outcome("ours", 1, [7.0]), contest.Outcome("loop", 1, [14.0])]
    report.write({"N1": (row, measured)}, False, {}, log=lambda line: None)
    assert (
        "| N1 | test | ≤ 9 µs | 7.00 (one run) | 0.50 × (one run) | met |" in (tmp_path / "benchmarks.md").read_text()
    )
    report.write({}, False, {"N1": [now]}, log=lambda line: None)
    assert "≤ 5 µs | 7.00 (one run) | 0.50 × (one run) | **falls short** |" in (tmp_path / "benchmarks.md").read_text()
    renamed = contest.Goal("≤ 3 µs", "an entry that had no turn then", 3)
    report.write({}, False, {"N1": [renamed], "N2": [now]}, log=lambda line: None)
    assert "≤ 5 µs | 7.00" in (tmp_path / "benchmarks.md").read_text()
    assert "Rows without a figure yet: N2." in (tmp_path / "benchmarks.md").read_text()
