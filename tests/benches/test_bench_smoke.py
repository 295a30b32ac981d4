"""The bench's own parts on known data: statistics, the limit, seats, verdicts. Nothing here asserts a time."""

from __future__ import annotations

import pytest


def test_spread_is_median_with_range(load):
    spread = load("paired").spread([3.0, 1.0, 10.0])
    assert (spread.median, spread.low, spread.high, spread.count) == (3.0, 1.0, 10.0, 3)
    assert spread.text() == "3.00 (1.00 .. 10.0)"
    with pytest.raises(ValueError, match="no measurement"):
        load("paired").spread([])


def test_ratio_is_taken_within_pairs(load):
    paired = load("paired")
    # The medians are 2 and 4, the ratio of medians 0.5; within pairs it is 1, 2 and 1/8.
    assert paired.ratio([1.0, 2.0, 8.0], [1.0, 1.0, 64.0]) == paired.Spread(1.0, 0.125, 2.0, 3)
    assert paired.ratio([None, 6.0, 4.0], [1.0, 3.0, None]) == paired.Spread(2.0, 2.0, 2.0, 1)
    assert paired.ratio([None], [1.0]) is None
    with pytest.raises(ValueError, match="paired"):
        paired.ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1 234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"), (0, "0.00")],
)
def test_number_has_three_digits(load, value, text):
    assert load("paired").number(value) == text


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("per_frame", [1, 7, 100])
def test_limit_answers_every_call(load, per_frame, each):
    assert load("limit").measure(per_frame, calls=150, repeats=1, each=each) > 0


def test_frame_of_separate_pickles_comes_back(load):
    limit = load("limit")
    messages = [(0, 1), None, b"x" * 5000, "é"]
    assert limit._unpack_each(limit._pack_each(messages)) == messages
    assert limit._unpack_each(limit._pack_each([])) == []


def test_absent_contestant_leaves_the_others_measured(load):
    contest, report = load("contest"), load("report")
    row = contest.Row(
        key="T",
        work="test",
        unit="µs",
        entries=[
            contest.Entry("absent", "no_such_module:Thing", 10),
            contest.Entry("present", "engines:Bodies", 10),
        ],
        goals=[contest.Goal("small", "absent", 1), contest.Goal("large", "present", 0, at_least=True)],
        runs=2,
    )
    absent, present = contest.hold(row, lambda line: None, patience=30)
    assert absent.error == "ModuleNotFoundError: No module named 'no_such_module'"
    assert absent.values == [None, None]
    assert len(present.values) == 2
    assert present.error is None
    assert report.verdict(row.goals[0], [absent, present])[1] == "not measured"
    assert report.verdict(row.goals[1], [absent, present])[1] == "met"
    assert "| absent | 10 | not available: ModuleNotFoundError" in report.row_table(row, [absent, present])


def test_what_a_contestant_leaves_in_its_folder_is_gone(load, tmp_path, monkeypatch):
    """graflow makes a folder where it runs; that is not the repository."""
    (tmp_path / "untidy.py").write_text(
        "import os\n"
        "class Untidy:\n"
        "    def run(self, size):\n"
        "        os.mkdir('left')\n"
        "        return len(os.listdir())\n"
        "    def close(self): pass\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    contest = load("contest")
    row = contest.Row(
        key="T", work="test", unit="", entries=[contest.Entry("it", "untidy:Untidy", 1, warm=0)], goals=[], runs=1
    )
    (outcome,) = contest.hold(row, lambda line: None, patience=30)
    assert outcome.values == [1.0]
    assert not (tmp_path / "left").exists()


def test_absent_peers_are_named_with_their_rows(load):
    contest, report = load("contest"), load("report")
    row = contest.Row(key="T", work="test", unit="µs", entries=[], goals=[])
    gone = contest.Outcome("peer", 1, error="RuntimeError: ModuleNotFoundError: No module named 'dask.distributed'")
    there = contest.Outcome("ours", 1, [1.0])
    assert report.absent({"T": (row, [there])}) == ""
    text = report.absent({"T": (row, [there, gone]), "U": (row, [gone])})
    assert text.startswith("Absent, so not compared with: dask (rows T, U).")


def test_reasons_carry_no_path(load):
    text = "cannot import name 'A' from 'b._core' (/some/where/b/_core.so)"
    assert load("contest").without_paths(text) == "cannot import name 'A' from 'b._core'"
    assert load("contest").without_paths("rust/scheduler has no bench, 1/2") == "rust/scheduler has no bench, 1/2"


def test_verdict_compares_in_pairs(load):
    contest, report = load("contest"), load("report")
    outcomes = [contest.Outcome("ours", 1, [1.0, 3.0]), contest.Outcome("limit", 1, [1.0, 1.0])]
    assert report.verdict(contest.Goal("≤ 2 ×", "ours", 2, against="limit"), outcomes) == (
        "2.00 × (1.00 .. 3.00)",
        "met",
    )
    assert report.verdict(contest.Goal("≤ 1 ×", "ours", 1, against="limit"), outcomes)[1] == "**falls short**"


def test_all_rows_can_be_named_and_built(load):
    run = load("run")
    assert run.chosen("S8,M1") == ["S8a", "S8b", "S8c", "M1"]
    with pytest.raises(SystemExit, match="no row 'X'"):
        run.chosen("X")
    for key, make in run.ROWS.items():
        for quick in (False, True):
            row = make(quick)
            labels = [entry.label for entry in row.entries]
            assert row.key == key
            assert len(set(labels)) == len(labels)
            for goal in row.goals:
                assert goal.ours in labels
                assert goal.against is None or goal.against in labels


def test_rust_bench_lines_are_read(load):
    text = """
running 0 tests
chain                    1000 nodes     99.5 ns a transition, 6 ns to start, 84 bytes a node
diamonds of 9, each a join 1000000 nodes 309.2 ns a transition
"""
    assert load("core").parse(text) == {
        ("chain", 1000): (99.5, 84.0),
        ("diamonds of 9, each a join", 1000000): (309.2, None),
    }


def test_ideal_makespan(load):
    cpu = load("cpu")
    assert cpu.ideal([1.0, 1.0, 1.0]) == 2.0
    assert cpu.ideal(cpu.durations(10_000)) == pytest.approx(1.05, rel=1e-3)
