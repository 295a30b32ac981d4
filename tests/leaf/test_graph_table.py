"""The table of a graph does what dictionaries of names would do."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import weakref
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast._core import GraphTable
from graflow_fast.core.graph import TaskGraph


class Model:
    """Names and edges as insertion-ordered dictionaries."""

    def __init__(self) -> None:
        self.tasks: dict[str, Any] = {}
        self.after: dict[str, dict[str, None]] = {}
        self.before: dict[str, dict[str, None]] = {}

    def add(self, name: str, what: Any) -> bool:
        if name in self.tasks:
            return False
        self.tasks[name] = what
        return True

    def link(self, source: str, target: str) -> bool:
        known = target in self.after.get(source, {})
        self.after.setdefault(source, {})[target] = None
        self.before.setdefault(target, {})[source] = None
        return not known

    def unlink(self, source: str, target: str) -> None:
        self.after.get(source, {}).pop(target, None)
        self.before.get(target, {}).pop(source, None)

    def remove(self, name: str) -> None:
        self.tasks.pop(name, None)
        for target in self.after.pop(name, {}):
            if target != name:
                self.before[target].pop(name)
        for source in self.before.pop(name, {}):
            if source != name:
                self.after[source].pop(name)

    def rename(self, old: str, new: str) -> None:
        self.tasks[new] = self.tasks.pop(old)

        def renamed(names: dict[str, Any]) -> dict[str, Any]:
            return {new if name == old else name: value for name, value in names.items()}

        self.after = {name: renamed(names) for name, names in renamed(self.after).items()}
        self.before = {name: renamed(names) for name, names in renamed(self.before).items()}


def same(table: GraphTable, model: Model, names: list[str]) -> None:
    assert table.items() == list(model.tasks.items())
    assert (len(table), list(table), table.last()) == (
        len(model.tasks),
        list(model.tasks),
        next(reversed(model.tasks), None),
    )
    for name in names:
        assert (name in table, table.get(name)) == (name in model.tasks, model.tasks.get(name))
        assert table.successors(name) == list(model.after.get(name, ()))
        assert table.predecessors(name) == list(model.before.get(name, ()))
    edges = table.edges()
    assert len(edges) == len(set(edges)) == table.edge_count
    by_source = [(name, target) for name in model.tasks for target in model.after.get(name, ())]
    assert edges[: len(by_source)] == by_source
    assert set(edges) == {(source, target) for source, targets in model.after.items() for target in targets}
    roots = [name for name in model.tasks if model.after.get(name) and not model.before.get(name)]
    assert table.roots({}) == roots


@pytest.mark.parametrize("seed", range(30))
def test_as_dictionaries(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.choice([3, 12, 40]))]
    with workflow("w"):
        plain = {name: task(name)(lambda: None) for name in names}
    table, model = GraphTable(), Model()
    for _ in range(400):
        name, other = chance.choice(names), chance.choice(names)
        act = chance.choice(["add", "link", "link", "link", "remove", "rename", "unlink", "other", "whole"])
        if act == "add":
            assert table.add(name, plain[name]) == model.add(name, plain[name])
        elif act == "other":  # a task under a name that is not its own
            assert table.add(name, plain[other]) == model.add(name, plain[other])
        elif act == "link":
            assert table.link(name, other) == model.link(name, other)
        elif act == "unlink":
            table.unlink(name, other)
            model.unlink(name, other)
        elif act == "remove":
            table.remove(name)
            model.remove(name)
        elif act == "rename":
            edges_name_it = model.after.get(other) or model.before.get(other)
            if name in model.tasks and other not in model.tasks and not edges_name_it:
                model.after.pop(other, None)
                model.before.pop(other, None)
                table.rename(name, other)
                model.rename(name, other)
        else:
            table = table.copy() if chance.random() < 0.5 else copy.copy(table)
        same(table, model, names)


def test_names_of_removed_nodes_take_no_room_for_ever() -> None:
    table = GraphTable()
    made = task("t")(lambda: None)
    for number in range(20_000):
        table.add(f"n{number}", made)
        table.link(f"n{number}", f"n{number - 1}")
        if number > 5:
            table.remove(f"n{number - 5}")
    names, tasks, edges = table.__reduce__()[2]
    assert len(names) == len(tasks) < 10
    assert len(edges) < 400


def test_a_graph_survives_pickling_with_tasks_that_know_it() -> None:
    graph = TaskGraph()
    made = task("a")(len)
    made.knows = graph  # type: ignore[attr-defined]
    graph.add_node(made)
    graph.add_edge("a", "nothing yet")
    graph.add_edge("nothing yet", "a")
    restored = pickle.loads(pickle.dumps(graph))
    assert list(restored.nodes) == ["a"]
    assert restored.get_edges() == graph.get_edges() == [("a", "nothing yet"), ("nothing yet", "a")]
    assert restored.get_node("a").knows is restored


def test_a_graph_and_its_tasks_are_collected() -> None:
    graph = TaskGraph()
    made = task("a")(lambda: None)
    made.knows = graph  # type: ignore[attr-defined]
    graph.add_node(made)
    made.itself = made  # type: ignore[attr-defined]
    seen = weakref.ref(graph), weakref.ref(made)
    del graph, made
    gc.collect()
    assert [reference() for reference in seen] == [None, None]


def test_names_are_texts() -> None:
    class Name(str):
        pass

    table = GraphTable()
    assert table.add(Name("a"), 1)
    assert table["a"] == table[Name("a")] == 1
    assert [type(name) for name in table] == [str]
    assert 5 not in table
    with pytest.raises(TypeError, match="a node's name must be a str, not int: 5"):
        table.add(5, 1)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="'b'"):
        table["b"]
