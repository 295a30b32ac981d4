"""`ctx.key`: what an activation is called outside is the same whenever it is tried, and no other's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import GraflowRuntimeError

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "process"])


def told(file: Path) -> list[tuple[str, str]]:
    """Return the keys that bodies had, each with the body's name."""
    return [tuple(line.split()) for line in file.read_text().splitlines()]  # type: ignore[misc]


def rounds(file: Path, fails: bool) -> WorkflowContext:
    """Return a loop of two rounds around a group, with an iteration and a retry; its last task may fail."""
    name = str(file)
    with workflow("rounds") as made:

        def tell(ctx: Any, what: str) -> None:
            with open(name, "a") as keys:
                keys.write(f"{what} {ctx.key}\n")

        @task(inject_context=True, max_retries=1)
        def member(ctx: Any, n: int) -> None:
            tell(ctx, f"member{n}")
            if ctx.retry_count == 0:
                raise ValueError("once more")

        @task(inject_context=True)
        def again(ctx: Any) -> None:
            tell(ctx, f"again{ctx.cycle_count}")
            if ctx.cycle_count % 2:
                ctx.next_iteration()
            elif ctx.cycle_count < 4:
                ctx.next_task(ctx.graph.get_node("group"), goto=True)

        @task(inject_context=True)
        def last(ctx: Any) -> None:
            tell(ctx, "last")
            if fails:
                raise ValueError("not yet")

        group = (member(task_id="m0", n=0) | member(task_id="m1", n=1)).set_group_name("group")
        group >> again >> last
    return made


@EXECUTORS
def test_each_start_of_a_task_has_a_key_of_its_own_that_its_attempts_share(tmp_path: Path, executor: str) -> None:
    """Retries have the same, rounds of a loop, iterations, members and runs have others; a resumed run the same."""
    file, store = tmp_path / "keys", tmp_path / "runs.db"
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        rounds(file, True).execute(durable=store, executor=executor, start_node="group")
    by_name: dict[str, list[str]] = {}
    for name, key in told(file):
        by_name.setdefault(name, []).append(key)
    for name in ("member0", "member1"):
        first, first_again, second, second_again = by_name[name]
        assert (first, second) == (first_again, second_again)
        assert first != second
    assert len({key for _, key in told(file)}) == 2 * 2 + 4 + 1
    file.unlink()
    rounds(file, False).resume(store, executor=executor)
    assert told(file) == [("last", by_name["last"][0])]
    file.unlink()
    rounds(file, False).execute(executor=executor, start_node="group")
    assert not {key for _, key in told(file)} & {key for keys in by_name.values() for key in keys}


@EXECUTORS
def test_items_of_a_map_have_keys_of_their_own_in_each_round(executor: str) -> None:
    """An item is started once for each start of its map."""
    with workflow("items") as made:

        @task
        def source() -> list[int]:
            return [1, 2]

        @task(inject_context=True)
        def item(ctx: Any, n: int) -> str:
            return str(ctx.key)

        @task(inject_context=True)
        def behind(ctx: Any) -> None:
            ctx.get_channel().append("keys", ctx.get_result("items"))
            if ctx.cycle_count < 2:
                ctx.next_task(ctx.graph.get_node("source"), goto=True)

        source >> item.map(task_id="items") >> behind
    _, context = made.execute(executor=executor, start_node="source", ret_context=True)
    first, second = context.channel.get("keys")
    assert len({*first, *second}) == 4
