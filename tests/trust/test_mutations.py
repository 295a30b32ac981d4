"""Changing a captured variable in a worker: the run says so, by task and variable, and nobody else sees the change."""

import functools
import logging
import random
import warnings

import pytest

from graflow_fast import task, workflow
from graflow_fast._worker import mutations
from graflow_fast.exceptions import ConfigError, LostMutationError, LostMutationWarning, ParallelGroupError

counter = 0
rows: list[int] = []
table = {"a": 1}
constant = {"never": "changed"}
generator = random.Random(1)
logger = logging.getLogger("trust")


class Account:
    def __init__(self):
        self.balance = 0


account = Account()


@functools.cache
def slow(number):
    return number * 2


def rebinds_global():
    global counter
    counter += 1
    return counter


def appends():
    rows.append(1)
    return len(rows)


def sets_item():
    table["b"] = 2


def changes_object():
    account.balance += 10


def by_helper():
    appends()


def default(seen=[]):  # noqa: B006
    seen.append(1)
    return len(seen)


def innocent():
    logger.warning("said")
    generator.random()
    random.random()
    slow(3)
    return [constant["never"], len(rows), account.balance]


def make_closures():
    number, kept = 0, set()

    def rebinds_closure():
        nonlocal number
        number += 1

    def adds():
        kept.add(1)

    return rebinds_closure, adds


rebinds_closure, adds = make_closures()

CHANGES = {
    rebinds_global: "counter",
    appends: "rows",
    sets_item: "table",
    changes_object: "account",
    by_helper: "rows",
    default: "seen",
    rebinds_closure: "number",
    adds: "kept",
}


def run(body, members=1, **options):
    with workflow("mutations") as wf:
        made = task(id="body")(body)
        group = made(task_id="m0") | task(id="other")(lambda: None)
        for number in range(1, members):
            group |= made(task_id=f"m{number}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        context = wf.execute(max_workers=2, ret_context=True, **options)[1]
    return context, [entry for entry in caught if entry.category is LostMutationWarning]


@pytest.mark.parametrize("body", CHANGES, ids=lambda body: body.__name__)
def test_a_change_is_told(body):
    _, caught = run(body)
    assert len(caught) == 1
    assert caught[0].message.task_id == "m0"
    assert caught[0].message.variables == (CHANGES[body],)
    assert f"Task 'm0' changed '{CHANGES[body]}' inside a worker process" in str(caught[0].message)
    assert caught[0].lineno == body.__code__.co_firstlineno


def test_what_a_task_may_keep_is_not_told():
    assert run(innocent)[1] == []


def test_members_of_one_body_say_it_once_and_each_sees_the_original():
    kept = []

    def body():
        kept.append(1)
        return len(kept)

    context, caught = run(body, members=20)
    assert len(caught) == 1
    assert [context.get_result(f"m{number}") for number in range(20)] == [1] * 20
    assert kept == []


def test_as_an_error(monkeypatch):
    monkeypatch.setenv("GRAFLOW_FAST_LOST_MUTATION", "error")
    with pytest.raises(ParallelGroupError) as caught:
        run(appends)
    error = caught.value.__cause__
    assert type(error) is LostMutationError
    assert (error.task_id, error.variables) == ("m0", ("rows",))


def test_ignored(monkeypatch):
    monkeypatch.setenv("GRAFLOW_FAST_LOST_MUTATION", "ignore")
    assert run(appends)[1] == []


def test_inline_nothing_is_lost():
    assert run(make_closures()[1], executor="inline")[1] == []


def test_a_body_that_captures_nothing_mutable_is_not_watched():
    assert mutations.watch(lambda: random.random() + slow(1)) is None


def test_a_large_container_is_only_measured():
    large = list(range(5000))

    def body():
        large.append(1)

    watch = mutations.watch(body)
    assert watch.changed() == []
    body()
    assert watch.changed() == ["large"]


def test_an_unknown_mode_is_an_error(monkeypatch):
    monkeypatch.setenv("GRAFLOW_FAST_LOST_MUTATION", "eror")
    with workflow("mutations") as wf:
        task(id="body")(lambda: 1)
    with pytest.raises(ConfigError, match="GRAFLOW_FAST_LOST_MUTATION='eror' is unknown; choose one of warn, error"):
        wf.execute(executor="process", max_workers=1)


def test_an_edge_made_in_a_captured_graph_is_told():
    for name in ("graph", "wf"):
        with workflow("mutations") as wf:
            graph = wf.graph
            bodies = {
                "graph": lambda graph=graph: graph.add_edge("a", "c"),
                "wf": lambda wf=wf: wf.add_edge("a", "c"),
            }
            task(id="a")(bodies[name]) >> task(id="b")(print)
            task(id="c")(print)
        with pytest.warns(LostMutationWarning, match=f"Task 'a' changed '{name}'"):
            wf.execute(executor="process", max_workers=1)


def test_a_captured_workflow_that_is_only_run_is_not_told():
    with workflow("inner") as inner:
        task(id="deep")(lambda: 1)
    with workflow("mutations") as wf:
        task(id="a")(lambda: inner.execute() + len(inner.graph.nodes))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wf.execute(executor="process", max_workers=1) == 2
