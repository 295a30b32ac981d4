"""Maps of programs that are killed in the middle: what they show, and that nothing that was done is done again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from durable_programs import noted, run

KILLED = -signal.SIGKILL
EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])

GENERATED = """
sys.stdout.reconfigure(line_buffering=True)

def lines():
    for n in range(7):
        note(f"read {n}")
        yield [n]

with workflow("generated") as wf:

    @task(inject_context=True)
    def work(ctx, line):
        note(f"work {line[0]} {ctx.key}")
        print("worked", line[0])
        ctx.get_channel().append("seen", line[0])
        return line[0] * 10

    work.map(lines())
kills = int(sys.argv[2])
count = 0

def is_there(entry):
    global count
    count += entry[0] == "items"
    return entry[0] == "items" and count == kills

kill_at(is_there)
result, context = wf.execute(durable=store, run="r", executor=sys.argv[3], max_workers=2, ret_context=True)
print(result, context.channel.get("seen"))
"""


@EXECUTORS
def test_a_map_killed_after_each_item_reads_its_generator_anew_and_shows_nothing_again(
    tmp_path: Path, executor: str
) -> None:
    """Each item runs once, but those that workers had under way."""
    shown = ""
    for _ in range(3):
        code, said, errors = run(tmp_path, GENERATED, "1", executor)
        assert code == KILLED, errors
        shown += said
    code, said, errors = run(tmp_path, GENERATED, "0", executor)
    assert code == 0, errors
    shown += said
    expected = [f"worked {n}" for n in range(7)] + [f"{[10 * n for n in range(7)]} {list(range(7))}"]
    assert shown.splitlines() == expected
    worked = [line.split()[1:] for line in noted(tmp_path) if line.startswith("work")]
    keys = {number: {key for n, key in worked if n == number} for number, _ in worked}
    assert sorted(keys) == [str(n) for n in range(7)]
    assert all(len(found) == 1 for found in keys.values())
    assert len(worked) == 7 or executor != "inline"


RETRIED = """
sys.stdout.reconfigure(line_buffering=True)
with workflow("retried") as wf:
    policy = RetryPolicy(max_retries=2, initial_interval=0.05, backoff_factor=4.0, jitter=False)

    @task(inject_context=True, retry_policy=policy)
    def work(ctx, n):
        note(f"{n} {ctx.retry_count}")
        print(n, ctx.retry_count)
        if n == 1 and ctx.retry_count < 2 or n == 2 and ctx.retry_count < 1:
            raise ValueError
        return ctx.retry_count

    work.map(range(4), chunk=4)
if sys.argv[2] == "items":
    kill_at(lambda entry: entry[0] == "items")
if sys.argv[2] == "shown":
    kill_at(lambda entry: entry[0] == "shown")
print(wf.execute(durable=store, run="r", executor=sys.argv[3]))
"""


def test_items_tried_again_in_another_process_say_what_they_say_in_their_turn(tmp_path: Path) -> None:
    """The program is killed when a chunk has come back of which two items failed, and goes on in one thread."""
    assert run(tmp_path, RETRIED, "items", "process")[:2] == (KILLED, "")
    code, first, errors = run(tmp_path, RETRIED, "shown", "inline")
    assert code == KILLED, errors
    code, said, errors = run(tmp_path, RETRIED, "", "inline")
    assert code == 0, errors
    whole = ["0 0", "1 0", "1 1", "1 2", "2 0", "2 1", "3 0", "[0, 2, 1, 0]"]
    assert first.splitlines() == whole[:2]
    assert said.splitlines() == whole[2:]
    assert noted(tmp_path) == ["0 0", "1 0", "2 0", "3 0", "1 1", "2 1", "1 2"]
