"""Places for the boxes of a graph: layers from left to right, few crossings. Knows no tasks and draws nothing."""

from __future__ import annotations

from collections.abc import Iterable


def layers_of(count: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Put nodes 0 to ``count - 1`` into layers, so that edges lead from left to right but for those that close a loop.

    Each node stands one layer behind the farthest of those before it. The order within layers is made by two sweeps, in
    which each node goes to the middle of its neighbours.
    """
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for source, target in _without_loops(count, edges):
        after[source].append(target)
        before[target].append(source)
    depth = [0] * count
    waiting = [len(sources) for sources in before]
    ready = [node for node in range(count) if not waiting[node]]
    for node in ready:
        for target in after[node]:
            depth[target] = max(depth[target], depth[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    layers: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for node in range(count):
        layers[depth[node]].append(node)
    for neighbours, order in ((before, layers[1:]), (after, layers[-2::-1]), (before, layers[1:])):
        place = {node: at / max(1, len(layer)) for layer in layers for at, node in enumerate(layer)}
        for layer in order:
            middle = {
                node: sum(place[other] for other in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else place[node]
                for node in layer
            }
            layer.sort(key=middle.__getitem__)
            place.update({node: at / max(1, len(layer)) for at, node in enumerate(layer)})
    return layers


def _without_loops(count: int, edges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The edges but for those that lead back to a node on the way to them."""
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in dict.fromkeys(edges):
        if source != target:
            after[source].append(target)
    kept, state = [], [0] * count  # 1 while on the way, 2 when left
    for root in range(count):
        way = [] if state[root] else [(root, iter(after[root]))]
        state[root] = state[root] or 1
        while way:
            node, targets = way[-1]
            target = next(targets, -1)
            if target < 0:
                state[node] = 2
                way.pop()
            elif state[target] != 1:
                kept.append((node, target))
                if not state[target]:
                    state[target] = 1
                    way.append((target, iter(after[target])))
    return kept
