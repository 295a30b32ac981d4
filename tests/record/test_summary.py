"""A run in lines and sentences, to the letter."""

from __future__ import annotations

import pytest
from runs import Recorder, census

from graflow_fast._record.columns import ABANDONED, FAILED, RUNNING, SKIPPED
from graflow_fast._record.words import listed, number_words, percent_words, seconds_words, shortened

TRACEBACK = """Traceback (most recent call last):
  File "/site-packages/graflow_fast/_worker/loop.py", line 9, in run
  File "/home/ann/census.py", line 231, in measure
    count(text)
ValueError: bad header
"""


def failed(failures: int = 1):
    made = Recorder(workers=2)
    for number in range(failures):
        made.row(f"batch_{number:03}", 0, 1, outcome=FAILED, attempt=3, error=("ValueError", "bad header", TRACEBACK))
    made.row("batch_900", 0, 31, worker=1)
    made.row("after_1", outcome=SKIPPED)
    made.row("after_2", outcome=ABANDONED)
    made.node("never_named")
    return made.run(outcome="failed", ended=31.0)


def test_completed():
    assert census().summary() == (
        "✓ census: 6 tasks in 1:01.0, 2 workers 49% busy, 1 retry\n"
        "  held up by: list_files 0.3 s > batch_001 58.1 s > build_report 2.4 s  (critical path 1:00.8)"
    )


def test_one_that_is_kept_says_how_to_get_its_report():
    made = Recorder(run=17)
    made.row("a", 0, 1)
    assert made.run(ended=1).summary().splitlines()[-1] == "  report: graflow-fast report 17"


def test_failed():
    assert failed().summary() == (
        "✗ census: 1 of 5 failed after 31.0 s, 3 not run\n"
        "  batch_000 (3 attempts): ValueError: bad header   census.py:231 in measure"
    )


def test_many_failures_are_counted():
    lines = failed(12).summary().splitlines()
    assert lines[0].startswith("✗ census: 12 of 16 failed")
    assert len(lines) == 7
    assert lines[-1] == "  and 7 more: graflow-fast tasks --where status=failed"


@pytest.mark.parametrize(
    ("outcome", "error", "line"),
    [
        ("cancelled", "no more data", "✗ census: cancelled after 4.0 s, 1 task done, 1 not run: no more data"),
        (
            "terminated",
            None,
            "✓ census: ended by terminate_workflow after 4.0 s, 1 task done, 1 not run, 2 workers 12% busy",
        ),
        ("max_steps", None, "! census: stopped at max_steps after 4.0 s, 1 task done, 1 not run, 2 workers 12% busy"),
        ("killed", None, "✗ census: killed after 4.0 s, 1 task done, 1 running (b), 1 not run"),
        ("running", None, "… census: running for 4.0 s, 1 task done, 1 running (b), 1 not run"),
        ("failed", "disk full", "✗ census: failed after 4.0 s, 1 task done, 1 not run: disk full"),
    ],
)
def test_other_endings(outcome, error, line):
    made = Recorder()
    made.row("a", 0, 1)
    if outcome in ("killed", "running"):
        made.row("b", 4, outcome=RUNNING, worker=1)
    made.node("c")
    assert made.run(outcome=outcome, error=error, ended=4.0).summary().splitlines()[0] == line


def test_for_terminals_without_unicode():
    assert census().summary(glyphs=False).startswith("ok census: ")
    assert failed().summary(glyphs=False).startswith("FAIL census: ")


def test_a_run_in_the_calling_thread_has_no_workers():
    made = Recorder(workers=0)
    made.row("a", 0, 1, worker=-1)
    assert made.run(ended=2.0).summary().splitlines()[0] == "✓ census: 1 task in 2.0 s"


def test_a_long_path_is_told_by_its_longest_steps():
    made = Recorder()
    for turn in range(20):
        made.row(
            f"step_{turn}", turn * 10, turn * 10 + (9 if turn % 4 == 3 else 1), by=f"step_{turn - 1}" if turn else None
        )
    held_up = made.run(ended=200.0).summary().splitlines()[1]
    assert held_up.startswith("  held up by: step_0 1.0 s > … 2 more > step_3 9.0 s > … 3 more > step_7 9.0 s")
    assert "step_19 9.0 s" in held_up


def test_names_and_messages_stay_in_their_line():
    made = Recorder(workflow="w\x1b[31m\n")
    made.row("a\nb\udc80" + "c" * 500, 0, 1, outcome=FAILED, error=("E", "x\x00y\n\nmore", ""))
    text = made.run(outcome="failed", ended=1.0).summary()
    assert text.splitlines() == [
        "✗ w\\x1b[31m\\n: 1 of 1 failed after 1.0 s",
        "  a\\nb\\udc80" + "c" * 55 + "…: E: x\\x00y",
    ]
    text.encode()


# --- the verdict


def test_a_slow_task_is_found_to_be_the_limit():
    assert census().verdict() == [
        "Completed in 1:01.0: 6 tasks ran.",
        "The 2 workers were busy with tasks 49% of the time.",
        "The critical path takes 1:00.8 of these 1:01.0: more workers save nothing, a faster batch_001 would "
        "(batch_001 alone 58.1 s).",
        "In the last 58.5 s 1 worker had nothing to do, waiting for batch_001.",
        "batch_001 took 58.1 s, others of batch 0.5 s.",
        "1 attempt failed and was tried again: batch 1×.",
    ]


def test_waiting_for_workers_is_found():
    made = Recorder()
    for turn in range(20):
        for worker in (0, 1):
            made.row(f"batch_{turn}_{worker}", turn, turn + 1, ready=0.0, worker=worker)
    sentences = made.run(ended=20.0).verdict()
    assert sentences[1] == "The 2 workers were busy with tasks 100% of the time."
    assert sentences[2] == "The critical path takes 1.0 s of these 20.0 s (batch_0_0 alone 1.0 s)."


def test_failures_are_in_the_verdict():
    assert failed().verdict()[0] == "Failed after 31.0 s: 2 tasks ran, 3 did not."
    assert failed().verdict()[-1] == (
        "1 task failed: batch_000 (3 attempts): ValueError: bad header   census.py:231 in measure."
    )


# --- words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 µs"), (0.000_012, "12 µs"), (0.0012, "1.2 ms"), (0.012, "12 ms"), (0.3, "0.3 s"), (59.94, "59.9 s"),
        (59.96, "1:00.0"), (65.2, "1:05.2"), (3599.96, "1:00:00"), (7511, "2:05:11"),
        (86_400 * 2 + 3, "2 days 0:00:03"),
        (float("nan"), "?"), (-1e-9, "0 µs"),
    ],
)  # fmt: skip
def test_times(seconds, words):
    assert seconds_words(seconds) == words


def test_numbers():
    assert [number_words(number) for number in (0, 9999, 10_000, 1_234_567)] == [
        "0",
        "9999",
        "10\xa0000",
        "1\xa0234\xa0567",
    ]
    assert [percent_words(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "<1%", "50%", ">99%", "100%"]
    assert [listed(list("abcdefg")[:count]) for count in (0, 1, 3, 7)] == [
        "",
        "a",
        "a, b and c",
        "a, b, c, d, e and 2 more",
    ]
    assert shortened("a\u2028b", 9) == "a\\u2028b"
