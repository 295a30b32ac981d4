"""Live operations in durable runs: each is done once, and a body that runs again gets the answers that it got."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from durable_programs import noted, run

KILLED = -signal.SIGKILL
EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])

COUNTING = """
kills = int(sys.argv[2])
seen = 0
with workflow("counting") as wf:

    @task(inject_context=True, max_retries=1)
    def count(ctx, n):
        channel = ctx.get_channel()
        channel.atomic_add("sum", n)
        with channel.lock("list"):
            channel.set("list", sorted([*channel.get("list", []), n]))
            channel.append("appended", n)
        if n == 2 and ctx.retry_count == 0:
            raise ValueError("once more")

    @task(inject_context=True)
    def behind(ctx):
        channel = ctx.get_channel()
        channel.set("list", [*channel.get("list"), -1])
        return channel.get("sum"), channel.get("list"), sorted(channel.get("appended"))

    @task(inject_context=True)
    def each(ctx, n):
        return ctx.get_channel().atomic_add("sum", n) and n

    parallel(*(count(task_id=f"count{n}", n=n) for n in range(4))) >> each.map(range(3), chunk=2) >> behind


def is_there(entry):
    global seen
    seen += entry[0] == "live"
    return entry[0] == "live" and seen == kills


kill_at(is_there)
print(wf.execute(durable=store, run="r", executor=sys.argv[3], max_workers=2))
"""


@EXECUTORS
def test_what_was_added_before_the_program_died_is_added_once(tmp_path: Path, executor: str) -> None:
    """The program is killed at one of the first operations, again and again; the failed attempt counts as well."""
    for kills in (1, 2, 3, 4, 2, 1):
        code, said, errors = run(tmp_path, COUNTING, str(kills), executor)
        assert (code, said) == (KILLED, ""), errors
    code, said, errors = run(tmp_path, COUNTING, "0", executor)
    assert code == 0, errors
    assert said == "(11, [0, 1, 2, 2, 3, -1], [0, 1, 2, 2, 3])\n"


ANSWERS = """
first, asks = sys.argv[2] == "first", sys.argv[3]
with workflow("answers") as wf:

    @task(inject_context=True)
    def slow(ctx):
        channel = ctx.get_channel()
        note(f"slow {channel.atomic_add('n', 1)}")
        note(f"slow {channel.atomic_add('n', 1)}")
        if first:
            (folder / "asked").touch()
            await_file("never")
        if asks == "other":
            note(f"slow {channel.atomic_add('n', 100)}")
        return channel.get("n")

    @task(inject_context=True)
    def quick(ctx):
        await_file("asked")
        note(f"quick {ctx.get_channel().atomic_add('n', 10)}")

    @task(inject_context=True)
    def behind(ctx):
        return ctx.get_channel().get("n")

    (slow | quick) >> behind
if first:
    kill_at(lambda entry: entry[0] == "returned" and entry[1][1] == "quick")
print(wf.execute(durable=store, run="r", executor=sys.argv[4], max_workers=2))
"""


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize(("asks", "more", "total"), [("same", [], 12), ("other", ["slow 112"], 112)])
def test_a_body_that_runs_again_gets_the_answers_that_it_got(
    tmp_path: Path, executor: str, asks: str, more: list[str], total: int
) -> None:
    """Although another one has added in between; what it did not ask for before is done."""
    assert run(tmp_path, ANSWERS, "first", asks, executor)[0] == KILLED
    assert noted(tmp_path) == ["slow 1", "slow 2", "quick 12"]
    code, said, errors = run(tmp_path, ANSWERS, "second", asks, executor)
    assert code == 0, errors
    assert noted(tmp_path)[3:] == ["slow 1", "slow 2", *more]
    assert said == f"{total}\n"
