"""Graphs to draw: chains, diamonds, groups, loops, and random ones. Owns graphs only; knows no drawing."""

import random
from itertools import pairwise

import networkx


class Single:
    """A task, as far as drawings look at it."""

    def __init__(self, task_id):
        self.task_id = task_id
        self.is_group = False


class Group:
    """A parallel group, as far as drawings look at it."""

    def __init__(self, tasks, task_id):
        self.task_id = task_id
        self.tasks = tasks
        self.is_group = True


def graph_of(*edges, groups=None, nodes=(), make_group=Group):
    """A graph with the given edges. `groups`: name -> member names; members are nodes only if `nodes` has them."""
    groups = groups or {}
    graph = networkx.DiGraph()
    for name in dict.fromkeys([*nodes, *(end for edge in edges for end in edge), *groups]):
        members = [Single(member) for member in groups.get(name, ())]
        graph.add_node(name, task=make_group(members, name) if members else Single(name))
    graph.add_edges_from(edges)
    return graph


SHAPES = {
    "one": {"nodes": ["a"]},
    "unconnected": {"nodes": ["a", "bbb", "cc"]},
    "chain": {"edges": ["ab", "bc"]},
    "diamond": {"edges": ["ab", "ac", "bd", "cd"]},
    "loop": {"edges": ["ab", "bc", "cb", "cd"]},
    "long names": {"edges": [("fetch it", 'say "hi"'), ('say "hi"', "end")]},
    "group": {"edges": ["aG", "Gd"], "groups": {"G": "bc"}},
    "group with nodes": {"edges": ["aG", "Gd"], "groups": {"G": "bc"}, "nodes": "abc"},
    "lone group": {"groups": {"G": "bc"}, "nodes": "bc"},
    "chain in group": {"edges": ["aG", "Gd", "bx", "xy"], "groups": {"G": "bc"}},
    "member before the next": {"edges": ["aG", "Gd", "bd", "de"], "groups": {"G": "bc"}},
    "two groups": {"edges": ["aG", "Gd", "dH", "He"], "groups": {"G": "bc", "H": ["f", "g", "h"]}},
    "group in group": {"edges": ["aG", "Gd"], "groups": {"G": "bH", "H": "cx"}, "nodes": "aGdH"},
}


def shape(name, **makers):
    """One of the shapes by name."""
    spec = dict(SHAPES[name])
    return graph_of(*(tuple(edge) for edge in spec.pop("edges", ())), **spec, **makers)


def random_graph(seed, **makers):
    """A connected graph of up to eight units, some of them groups, some edges backwards.

    No group is followed directly by another group, and no node by itself: there graflow loses edges or gives up.
    """
    choose = random.Random(seed)
    names = [f"{choose.choice(['t', 'load data', 'end', 'x-y'])}{number}" for number in range(20)]
    units, groups, nodes = [], {}, []
    for _ in range(choose.randint(2, 7)):
        if choose.random() < 0.3 and (not units or units[-1] not in groups):
            group = f"G{len(groups)}"
            groups[group] = [names.pop() for _ in range(choose.randint(2, 3))]
            nodes += [member for member in groups[group] if choose.random() < 0.6]
            units.append(group)
        else:
            units.append(names.pop())
    edges = list(pairwise(units))
    for _ in range(choose.randint(0, 3)):
        source, target = choose.sample(units, 2)
        forward = units.index(source) < units.index(target)
        if not (source in groups and target in groups) and (forward or choose.random() < 0.2):
            edges.append((source, target))
    return graph_of(*edges, groups=groups, nodes=nodes, **makers)
