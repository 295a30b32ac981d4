"""The scheduler's Python surface: the rules themselves are tested in rust/scheduler/tests."""

import pytest

from graflow_fast._core import Scheduler


def drain(scheduler: Scheduler, now: float = 0.0) -> list[tuple[int, ...]]:
    """Completes everything in order; gives all actions."""
    actions = []
    while (action := scheduler.next(now)) is not None:
        scheduler.check()
        actions.append(action)
        if action[0] in (Scheduler.RUN, Scheduler.JOIN):
            assert scheduler.complete(action[1], None, now)
            scheduler.check()
    return actions


def test_chain():
    s = Scheduler()
    assert s.add_nodes(3) == 0
    s.add_edge(0, 1)
    s.add_edge(1, 2)
    s.add_edge(1, 2)
    s.start([0], 0.0)
    actions = drain(s)
    assert [(a[0], a[2], a[6]) for a in actions] == [(0, 0, -1), (0, 1, 0), (0, 2, 1), (5, -1, -1)]
    assert s.finished()
    assert s.steps == 3
    assert s.successors(1) == [2]
    assert s.predecessors(2) == [1]
    assert s.explain(2) == ("successor", [1])


def test_diamond_joins_once():
    s = Scheduler()
    s.add_nodes(4)
    for source, target in [(0, 1), (0, 2), (1, 3), (2, 3)]:
        s.add_edge(source, target)
    s.start([0], 0.0)
    assert [a[2] for a in drain(s)] == [0, 1, 2, 3, -1]


def test_group_forks_and_joins():
    s = Scheduler()
    group = s.add_node(group=True)
    first = s.add_nodes(2)
    after = s.add_node()
    s.set_members(group, [first, first + 1])
    s.add_edge(group, after)
    s.start([group], 0.0)
    kinds = [a[0] for a in drain(s)]
    assert kinds == [
        Scheduler.FORK, Scheduler.RUN, Scheduler.BRANCH_ENDED, Scheduler.RUN, Scheduler.BRANCH_ENDED,
        Scheduler.JOIN, Scheduler.RUN, Scheduler.FINISHED,
    ]  # fmt: skip
    assert s.steps == 4


def test_retry_waits_for_its_deadline():
    s = Scheduler()
    s.add_nodes(1)
    s.start([0], 0.0)
    action = s.next(0.0)
    assert action is not None
    assert s.fail(action[1], 1.5, 10.0)
    assert s.next(10.0) is None
    assert s.deadline() == pytest.approx(11.5)
    again = s.next(11.5)
    assert again is not None
    assert again[4] == 1
    assert not s.complete(action[1], None, 12.0)
    assert s.complete(again[1], None, 12.0)
    done = s.next(12.0)
    assert done is not None
    assert done[0] == Scheduler.FINISHED


def test_a_callers_mistake_is_a_value_error():
    s = Scheduler()
    s.add_nodes(1)
    with pytest.raises(ValueError, match="there is no node 7"):
        s.add_edge(0, 7)
    s.start([0], 0.0)
    action = s.next(0.0)
    assert action is not None
    with pytest.raises(ValueError, match="there is no node 9"):
        s.complete(action[1], [(Scheduler.GOTO, 9, 0)], 0.0)
    assert s.complete(action[1], None, 0.0)


def test_nodes_may_be_added_while_it_runs():
    s = Scheduler()
    s.add_nodes(1)
    s.start([0], 0.0)
    action = s.next(0.0)
    assert action is not None
    new = s.add_nodes(2)
    s.add_edge(new, new + 1)
    assert s.executions(new) == 0
    assert s.explain(new) == ("never_reached", [])
    assert s.complete(action[1], [(Scheduler.ENQUEUE, new, 42)], 0.0)
    assert [(a[2], a[5], a[6]) for a in drain(s)] == [(new, 42, 0), (new + 1, 0, new), (-1, 0, -1)]
    assert s.executions(new) == 1


def test_checkpoint_and_resume():
    def build() -> Scheduler:
        s = Scheduler()
        s.add_nodes(4)
        for source, target in [(0, 1), (0, 2), (1, 3), (2, 3)]:
            s.add_edge(source, target)
        return s

    s = build()
    s.start([0], 0.0)
    for _ in range(2):
        action = s.next(0.0)
        assert action is not None
        s.complete(action[1], None, 0.0)
    other = build()
    other.resume(s.pending_work(), s.edge_marks(), [(n, s.executions(n)) for n in range(4)], 0.0)
    assert other.edge_marks() == s.edge_marks()
    assert [a[2] for a in drain(other)] == [a[2] for a in drain(s)] == [2, 3, -1]
