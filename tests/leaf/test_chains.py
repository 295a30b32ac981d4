"""Chains made one task at a time, as programs in a loop make them."""

import pickle

from graflow_fast import task, workflow
from graflow_fast.core.task import Task


def test_a_chain_made_one_by_one_has_all_its_tasks_in_order():
    with workflow("chain"):
        nodes = [Task(f"t{number}") for number in range(5)]
        made = nodes[0] >> nodes[1]
        for node in nodes[2:]:
            made = made >> node
        assert made.tasks == nodes
        assert (made.leftmost, made.rightmost, len(made)) == (nodes[0], nodes[4], 5)
    assert [node.task_id for node in pickle.loads(pickle.dumps(nodes[0] >> nodes[1]))] == ["t0", "t1"]
    assert repr(made) == "SequentialTask([t0 >> t1 >> t2 >> t3 >> t4])"


def test_an_earlier_handle_stays_what_it_was():
    with workflow("chain"):
        a, b, c = (Task(name) for name in "abc")
        first = a >> b
        longer = first >> c
        assert longer.tasks == [a, b, c]
        assert first.tasks == [a, b]
        assert (c << first).tasks == [a, b, c]


def test_ten_thousand_joined_from_either_side_neither_overflow_nor_copy():
    """Copying the chain at each ``>>`` would touch a hundred million tasks here."""
    with workflow("chain") as wf:

        @task
        def step():
            return 1

        count = 10_000
        made = step(task_id="n0") >> step(task_id="n1")
        copied = 0
        for number in range(2, count):
            made = made >> step(task_id=f"n{number}")
            copied += made._tasks is not None
        assert copied == 0
        assert len(made.tasks) == count
        assert wf.execute() == 1
