"""Items of a map that are made of several iterables, and the parameters that their parts go to.

Owns how iterables become items and how an item becomes arguments. Knows nothing of chunks, places or results.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graflow_fast.core.task import Executable
from graflow_fast.exceptions import GraflowRuntimeError

#: All parts of an item to the open parameters, in their order.
POSITIONAL = "*"


class Spread:
    """Several iterables that become the items of one map.

    Attributes:
        kind: ``"map"`` (side by side, up to the shortest), ``"zip"`` (side by side, all of one length), ``"product"``
            (each with each; the last one changes first).
        sources: the iterables; tasks stand among them by their names.
    """

    def __init__(self, kind: str, sources: Sequence[Any]) -> None:
        self.kind = kind
        self.sources = [source.task_id if isinstance(source, Executable) else source for source in sources]

    @property
    def needs_results(self) -> bool:
        """Whether results of tasks are among the iterables."""
        return any(isinstance(source, str) for source in self.sources)

    def resolved(self, result_of: Callable[[str], Any]) -> Spread:
        """Return the same with the results of tasks in the place of their names."""
        found = [result_of(source) if isinstance(source, str) else source for source in self.sources]
        return Spread(self.kind, [list(each) if isinstance(each, str) else each for each in found])

    def iterators(self) -> list[Any]:
        """Return those of the iterables that can be iterated over only once."""
        return [source for source in self.sources if iter(source) is source]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if self.kind == "product":
            return itertools.product(*self.sources)
        return self._zipped() if self.kind == "zip" else zip(*self.sources, strict=False)

    def _zipped(self) -> Iterator[tuple[Any, ...]]:
        try:
            yield from zip(*self.sources, strict=True)
        except ValueError as error:
            if not str(error).startswith("zip()"):
                raise
            raise GraflowRuntimeError(
                "The iterables of map(zip=...) are not of one length. Make them so, or pass them one behind the other, "
                "map(xs, ys), which ends with the shortest"
            ) from None

    def __len__(self) -> int:
        lengths = [len(source) for source in self.sources]
        if self.kind == "product":
            total = 1
            for length in lengths:
                total *= length
            return total
        return min(lengths)


def spread_items(
    items: Any, more: tuple[Any, ...], zipped: Mapping[str, Any] | None, product: Mapping[str, Any] | None
) -> tuple[Any, str | tuple[str, ...] | None]:
    """Return the items of a map, and how each becomes arguments: None (itself), `POSITIONAL`, or names.

    Raises:
        TypeError: more than one way to say what the items are.
    """
    given = [name for name, value in (("items", items), ("zip", zipped), ("product", product)) if value is not None]
    if len(given) > 1:
        raise TypeError(f"map() takes its items in one way, not by {' and '.join(given)}")
    if more:
        return Spread("map", (items, *more)), POSITIONAL
    for kind, columns in (("zip", zipped), ("product", product)):
        if columns is not None:
            if not isinstance(columns, Mapping) or not columns:
                raise TypeError(
                    f"map({kind}=...) takes iterables by the names of parameters: map({kind}={{'x': xs, 'y': ys}})"
                )
            return Spread(kind, list(columns.values())), tuple(columns)
    return items, None


def arguments_of(item: Any, spread: str | tuple[str, ...], names: Sequence[str]) -> dict[str, Any]:
    """Return the arguments that an item stands for.

    Args:
        item: a tuple or the like; with `POSITIONAL` also a mapping, whose items go by name.
        spread: as `spread_items` says it.
        names: the open parameters.

    Raises:
        TypeError: the item has more parts than there are parameters, or none.
    """
    if spread != POSITIONAL:
        return dict(zip(spread, item, strict=True))
    if isinstance(item, Mapping):
        return dict(item)
    parts = tuple(item)
    if len(parts) > len(names):
        raise TypeError(
            f"an item has {len(parts)} parts, but only {len(names)} parameters are open"
            + (f" ({', '.join(names)})" if names else "")
        )
    return dict(zip(names, parts, strict=False))


__all__ = ["POSITIONAL", "Spread", "arguments_of", "spread_items"]
