"""What has been executed so far, as a small graph.

Owns the nodes and edges that tracers collect, and their export. Must not know tasks, contexts or output; networkx is
imported only when somebody asks for a networkx graph.
"""

from __future__ import annotations

from math import isnan, nan

from graflow_fast._core import StepTimes
from graflow_fast._extras import import_extra
from graflow_fast._messages import message_of

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    import networkx

__all__ = ["RuntimeRecord"]


class RuntimeRecord:
    """Executed nodes by name, edges between them, and the order of execution."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._nodes: dict[str, dict[str, Any]] = {}
        self._edges: dict[tuple[str, str], str] = {}
        #: Of plain tasks there may be millions: they are here until somebody looks.
        self.times = StepTimes()
        #: By position in `times`: the error, the types of task and handler, and the end of what never started.
        self._unusual: dict[int, tuple[Exception | None, str, str, float | None]] = {}

    @property
    def order(self) -> list[str]:
        """The names in the order of execution."""
        return self._order + self.times.names()

    def start(self, name: str, time: datetime, metadata: dict[str, Any]) -> None:
        """Note that a node started; one that runs again keeps its place, with new values."""
        self._expand()
        self._nodes.setdefault(name, {}).update(status="running", start_time=time, metadata=metadata)
        self._order.append(name)

    def end(self, name: str, status: str, time: datetime, metadata: dict[str, Any] | None, output: Any = None) -> None:
        """Note that a node ended, with what result; unknown ones are ignored."""
        if name not in self._nodes:
            self._expand()
        if node := self._nodes.get(name):
            node.update(status=status, end_time=time)
            known: dict[str, Any] = node["metadata"]
            known["output"] = None if output is None else _output(output)
            known.update(metadata or {})

    def connect(self, source: str, target: str, relation: str) -> None:
        """Add an edge if both of its nodes are known."""
        self._expand()
        if source in self._nodes and target in self._nodes:
            self._edges[source, target] = relation

    def note(
        self,
        name: str,
        started: float | None,
        ended: float | None,
        error: Exception | None,
        task_type: str,
        handler_type: str,
    ) -> None:
        """Note in one go that a node ran: the cheap way, worked out when somebody looks."""
        if error is not None or started is None or task_type != "TaskWrapper" or handler_type != "direct":
            self._unusual[len(self.times)] = (error, task_type, handler_type, ended if started is None else None)
        self.times.add(name, nan if started is None else started, nan if ended is None else ended)

    def as_networkx(self) -> networkx.DiGraph:
        """A new ``DiGraph`` with everything noted so far."""
        graph = import_extra("networkx", "graph", "A runtime graph").DiGraph()
        content = self.as_dict()
        for node in content["nodes"]:
            graph.add_node(node.pop("id"), **node)
        for edge in content["edges"]:
            graph.add_edge(edge["source"], edge["target"], relation=edge["relation"])
        return graph

    def as_dict(self) -> dict[str, Any]:
        """``nodes``, ``edges`` and ``execution_order`` as lists; times are `datetime` objects."""
        self._expand()
        return {
            "nodes": [{"id": name, **node, "metadata": _shown(node["metadata"])} for name, node in self._nodes.items()],
            "edges": [
                {"source": source, "target": target, "relation": relation}
                for (source, target), relation in self._edges.items()
            ],
            "execution_order": self.order,
        }

    def as_json(self) -> dict[str, Any]:
        """As ``as_dict``, with nothing in it that JSON doesn't have: times become ISO 8601 texts."""
        import json

        content: dict[str, Any] = json.loads(json.dumps(self.as_dict(), default=_plain))
        return content

    def as_graphml(self) -> str:
        """A GraphML document; times are ISO 8601 texts, and the metadata of a node is JSON."""
        import json
        from datetime import datetime

        networkx = import_extra("networkx", "graph", "GraphML export")
        graph = self.as_networkx()
        for _, node in graph.nodes(data=True):
            for key, value in list(node.items()):
                if value is None:
                    del node[key]
                elif not isinstance(value, str):
                    node[key] = _plain(value) if isinstance(value, datetime) else json.dumps(value, default=_plain)
        return "\n".join(networkx.generate_graphml(graph))

    def _expand(self) -> None:
        from datetime import datetime

        names, times = self.times.names(), self.times.times()
        self.times.clear()
        self._order += names
        usual = (None, "TaskWrapper", "direct", None)
        for index, name in enumerate(names):
            started, ended = times[2 * index], times[2 * index + 1]
            error, task_type, handler_type, known_end = self._unusual.get(index, usual)
            if known_end is not None:
                ended = known_end
            metadata: dict[str, Any] = {"type": "span", "task_type": task_type, "handler_type": handler_type}
            metadata["output"] = None
            if error is not None:
                metadata.update(error=message_of(error), error_type=type(error).__name__)
            self._nodes.setdefault(name, {}).update(
                status="completed" if error is None else "failed",
                start_time=None if isnan(started) else datetime.fromtimestamp(started),
                end_time=None if isnan(ended) else datetime.fromtimestamp(ended),
                metadata=metadata,
            )
        self._unusual.clear()


def _output(value: Any) -> Any:
    from graflow_fast.core._texts import Output

    return Output(value)


def _shown(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata with the text of the output in place of the output."""
    output = metadata.get("output")
    if output is None:
        return dict(metadata)
    from graflow_fast.core._texts import Output

    return {**metadata, "output": output.text() if type(output) is Output else output}


def _plain(value: object) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat()
    from graflow_fast.core._texts import text_of

    return text_of(value)
