"""Drawings show every task and every edge."""

import re
import subprocess
import sys
from types import SimpleNamespace

import networkx
import pytest

from graflow_fast.exceptions import ConfigError
from graflow_fast.utils import graph as graphs
from graflow_fast.utils._ascii import _Canvas
from graflow_fast.utils._groups import boxed_view, flat_view
from graflow_fast.utils.graph import draw_ascii, draw_mermaid

from .drawings import SHAPES, graph_of, random_graph, shape

DIAMOND = """\
     +---+
     | a |
     +---+
     *    *
    *     *
   *       *
+---+     +---+
| b |     | c |
+---+     +---+
     *    *
      *  *
       **
     +---+
     | d |
     +---+"""

MERMAID = """\
graph TD;
    subgraph G_1[" G "]
        direction TB
        b[b];
        c[c];
    end
    class G_1 parallelGroup;
    a_1([a]):::first;
    d_1[d];
    a_1 --> G_1;
    G_1 --> d_1;
"""


def trimmed(text):
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def test_ascii_of_a_diamond():
    """Boxes in layers, connected by stars."""
    lines, expected = trimmed(draw_ascii(shape("diamond"))).splitlines(), DIAMOND.splitlines()
    assert [line for line in lines if "*" not in line] == [line for line in expected if "*" not in line]
    assert len(lines) == len(expected)


def test_ascii_of_a_group():
    """A group is a start and an end with double borders, its members between them."""
    text = draw_ascii(shape("group"))
    assert "║ G ║" in text
    assert "║ ↣ G ║" in text
    positions = [text.index(f" {name} ") for name in ("a", "G", "b", "↣ G", "d")]
    assert positions == sorted(positions)


def test_ascii_without_edges():
    """Nothing to connect: boxes below each other, or a word if there is nothing at all."""
    assert draw_ascii(networkx.DiGraph()) == "Empty graph"
    line = "+-----+\n"
    assert draw_ascii(shape("unconnected")) == f"{line}|  a  |\n{line}| bbb |\n{line}| cc  |\n{line}"


@pytest.mark.parametrize("name", SHAPES)
def test_every_task_is_drawn(name):
    """No shape loses a task, in either format."""
    graph = shape(name)
    for text in (draw_ascii(graph), draw_mermaid(graph)):
        for node in graph:
            assert str(node).replace('"', '\\"') in text or str(node) in text


def test_unconnected_parts_are_all_drawn():
    """A task that nothing leads to, such as a jump's target, is in the drawing of the rest."""
    text = draw_ascii(graph_of(("a", "b"), nodes=["a", "b", "on_error"]))
    assert text.startswith(draw_ascii(graph_of(("a", "b"))))
    assert "| on_error |" in text


def test_a_task_that_leads_to_itself_is_marked():
    """An edge from a node to itself does not prevent the drawing."""
    text = draw_ascii(graph_of(("a", "b"), ("b", "b")))
    assert "| b ↻ |" in text
    assert "| a |" in text


def test_groups_in_a_row_are_connected_end_to_start():
    """An edge between two groups goes from the end of the first to the start of the second, whatever came first."""
    for nodes in ("GH", "HG"):
        graph = graph_of(("G", "H"), groups={"G": "ab", "H": "cd"}, nodes=nodes)
        text = draw_ascii(graph)
        rows = {name: text.index(f"║ {name} ║") for name in ("G", "↣ G", "H", "↣ H")}
        assert sorted(rows, key=rows.get) == ["G", "↣ G", "H", "↣ H"]
        assert "    G_1 --> H_1;\n" in draw_mermaid(graph)


def test_a_group_in_a_group_is_drawn_inside_it():
    """The inner group's start follows the outer's start, and its end leads to the outer's end."""
    flat, marks = flat_view(shape("group in group"))
    assert marks == {"G", "↣ G", "H", "↣ H"}
    inner = {("H", "c"), ("H", "x"), ("c", "↣ H"), ("x", "↣ H")}
    outer = {("a", "G"), ("G", "b"), ("G", "H"), ("b", "↣ G"), ("↣ H", "↣ G"), ("↣ G", "d")}
    assert set(flat.edges()) == inner | outer


def test_edges_from_groups_to_their_members_are_no_jumps():
    """As `build_graph` gives them: a member, even a group, comes before its group's end only."""
    flat, _ = flat_view(graph_of(("G", "b"), ("G", "H"), ("G", "d"), groups={"G": "bH", "H": "cx"}))
    assert sorted(flat.predecessors("H")) == ["G"]
    assert sorted(flat.successors("↣ G")) == ["d"]


def test_what_comes_after_a_group_is_outside_its_box():
    """Also if a member leads there directly."""
    assert boxed_view(shape("member before the next")).contents == {"G": ["b", "c"]}


def test_drawings_do_not_depend_on_addresses():
    """The same graph is drawn the same each time (here graflow has six answers)."""
    graph = graph_of(("a", "G"), ("a", "t"), ("G", "t"), ("t", "a"), groups={"G": "xyz"})
    kept, seen = [], set()
    for number in range(100):
        kept.append([None] * number)
        seen.add(draw_ascii(graph))
    assert len(seen) == 1


def test_drawings_do_not_depend_on_hashes():
    """The same graph is drawn the same in every process."""
    code = (
        "from tests.leaf.drawings import random_graph as g; from graflow_fast.utils.graph import *; import zlib;"
        "print(zlib.crc32(''.join(draw_ascii(g(s)) + draw_mermaid(g(s)) for s in range(60)).encode()))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in "0123"
    }
    assert len(seen) == 1


def test_canvas_leaves_out_what_is_outside():
    """Drawing past the border is no error, and lines are drawn in any direction."""
    canvas = _Canvas(4, 3)
    canvas.line((3, 2), (-1, -2), "*")
    canvas.put(2, 0, "abc")
    assert canvas.text() == " *ab\n  * \n   *"
    for start, end in (((0, 0), (1, 2)), ((1, 2), (0, 0))):
        canvas = _Canvas(2, 3)
        canvas.line(start, end, "#")
        assert canvas.text().count("#") == 3
    canvas = _Canvas(1, 1)
    canvas.line((0, 0), (0, 0), "#")
    assert canvas.text() == "#"


def test_mermaid_of_a_group():
    """A group is a box; edges lead to and from it."""
    assert draw_mermaid(shape("group"), with_styles=False) == MERMAID


def test_mermaid_of_a_chain_in_a_group():
    """What follows a member inside the group is in the box, with its edges."""
    text = draw_mermaid(shape("chain in group"))
    box = text[text.index("subgraph") : text.index("    end\n")]
    assert [name for name in "abcdxy" if f"[{name}];" in box] == ["b", "c", "x", "y"]
    assert "    x_1 --> y_1;" in text


def test_mermaid_options():
    """Title, styles, colours and wrapped labels."""
    graph = graph_of(("a", "b"))
    graph.edges["a", "b"]["label"] = "one two three four five"
    text = draw_mermaid(graph, "My flow", node_colors={"a": "#fff"}, wrap_label_n_words=2)
    assert text.startswith("---\nconfig:\n  flowchart:\n    curve: linear\n---\ngraph TD;\n    %% My flow\n")
    assert "a_1 -- one two<br>three four<br>five --> b_1;" in text
    assert text.endswith("    classDef a_1_style fill:#fff;\n    class a_1 a_1_style;\n")
    assert "classDef" not in draw_mermaid(graph, with_styles=False)
    assert draw_mermaid(networkx.DiGraph()) == "graph TD;\n    EmptyGraph[Empty Graph];\n"


def test_mermaid_ids_are_unique():
    """Names that look alike once cleaned get different ids, and keywords are avoided."""
    text = draw_mermaid(graph_of(("a b", "a_b"), ("a_b", "end")))
    ids = re.findall(r"^    (\w+)\(?\[", text, re.MULTILINE)
    assert len(set(ids)) == 3
    assert "end" not in ids


class FakeAGraph:
    """Takes the calls that pygraphviz would get, and notes them."""

    def __init__(self, **options):
        self.calls = [("graph", options)]
        self.clusters = {}

    def add_node(self, name, **attributes):
        self.calls.append(("node", name, attributes))

    def add_edge(self, source, target, **attributes):
        self.calls.append(("edge", source, target, attributes))

    def add_subgraph(self, name, **attributes):
        self.calls.append(("cluster", name, attributes))
        self.clusters[name] = FakeAGraph(parent=name)

    def get_subgraph(self, name):
        return self.clusters[name]

    def string(self):
        return "digraph {}"

    def draw(self, path, format, prog):
        return b"png" if path is None else None

    def close(self):
        self.calls.append(("close",))


def test_graphviz(monkeypatch):
    """Groups are clusters that edges end at; labels and colours can be chosen."""
    monkeypatch.setitem(sys.modules, "pygraphviz", SimpleNamespace(AGraph=FakeAGraph))
    graph = graph_of(("a", "G"), ("G", "H"), ("H", "z"), groups={"G": "bc", "H": "de"})
    drawing = graphs.create_agraph(graph, node_labels={"a": "Start"}, node_colors={"a": "red"})
    nodes = [call[1] for call in drawing.calls if call[0] == "node"]
    edges = [call[1:3] for call in drawing.calls if call[0] == "edge"]
    assert nodes == ["a", "z"]
    assert drawing.calls[3][:2] == ("node", "a")
    assert drawing.calls[3][2]["label"] == "<<B>Start</B>>"
    assert drawing.calls[3][2]["fillcolor"] == "red"
    assert [call[1] for call in drawing.clusters["cluster_0"].calls[1:]] == ["b", "c"]
    assert edges == [("a", "b"), ("b", "d"), ("d", "z")]
    assert [(call[3].get("ltail"), call[3].get("lhead")) for call in drawing.calls if call[0] == "edge"] == [
        (None, "cluster_0"),
        ("cluster_0", "cluster_1"),
        ("cluster_1", None),
    ]
    assert graphs.draw_dot(graph) == "digraph {}"
    assert graphs.draw_png(graph) == b"png"
    assert graphs.draw_png(graph, "x.png") is None
    assert graphs.create_agraph(networkx.DiGraph()).calls[1][1] == "Empty"


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("pygraphviz", lambda graph: graphs.draw_dot(graph), "graphviz"),
        ("grandalf", lambda graph: graphs.draw_ascii(graph), "draw"),
        ("matplotlib", lambda graph: graphs.draw_task_graph(graph), "plot"),
        ("networkx", lambda graph: graphs.show_graph_info(graph), "graph"),
    ],
)
def test_missing_packages_say_what_to_install(monkeypatch, module, call, extra):
    """Each function that needs a package names the extra that brings it."""
    for name in [module, *(name for name in sys.modules if name.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"{module}: pip install 'graflow-fast\[{extra}\]'"):
        call(graph_of(("a", "b")))


def test_mermaid_png_needs_the_network():
    """It is refused with two ways to get a picture."""
    with pytest.raises(ConfigError, match=r"needs the network.*draw_png.*draw_mermaid"):
        graphs.draw_mermaid_png(shape("chain"), "x.png", title="t")


def test_lists(capsys):
    """Dependencies and cycles are printed."""
    graph = graph_of(("a", "b"), ("a", "c"), ("c", "a"))
    graphs.visualize_dependencies(graph)
    graphs.show_graph_info(graph)
    graphs.show_graph_info(graph_of(("a", "b")))
    printed = capsys.readouterr().out.replace("[['c', 'a']]", "[['a', 'c']]")  # a cycle has no first node
    assert printed == (
        "=== Dependencies ===\na >> b >> c\nb (no dependencies)\nc >> a\n"
        "=== Graph Information ===\nNodes: ['a', 'b', 'c']\nEdges: [('a', 'b'), ('a', 'c'), ('c', 'a')]\n"
        "Cycles detected: [['a', 'c']]\n"
        "=== Graph Information ===\nNodes: ['a', 'b']\nEdges: [('a', 'b')]\nNo cycles detected\n"
    )


def test_plotting_uses_matplotlib(monkeypatch):
    """The window has the title and is shown."""
    calls = []
    pyplot = SimpleNamespace(title=lambda text: calls.append(text), show=lambda: calls.append("show"))
    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace(pyplot=pyplot))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    monkeypatch.setattr(networkx, "draw", lambda graph, pos, **options: calls.append(sorted(pos)))
    graphs.draw_task_graph(graph_of(("a", "b")), "Mine")
    assert calls == [["a", "b"], "Mine", "show"]


def test_build_graph():
    """The part that is connected with a task, members included; the workflow's graph is left alone."""
    workflows = pytest.importorskip("graflow_fast.core.workflow", reason="the language is not in this checkout")
    from graflow_fast import task

    with workflows.workflow("w") as flow:
        a, b, c, d, apart = (task(name)(lambda: None) for name in ("a", "b", "c", "d", "apart"))
        group = (b | c).set_group_name("G")
        a >> group >> d
        before = sorted(flow.graph.get_edges())
        built = graphs.build_graph(group)
        chain = task("n0")(lambda: None)
        for number in range(1, 3000):
            chain = chain >> task(f"n{number}")(lambda: None)
        assert len(graphs.build_graph(flow.graph.get_node("n0"), flow).nodes) == 3000
    assert set(built.nodes) == {"G", "a", "b", "c", "d"}
    assert sorted(built.get_edges()) == [("G", "b"), ("G", "c"), ("G", "d"), ("a", "G")]
    assert [edge for edge in sorted(flow.graph.get_edges()) if edge[0][0] != "n"] == before
    assert apart.task_id not in built.nodes


def test_random_graphs_are_drawn():
    """Loops, groups and chains in any combination can be drawn."""
    for seed in range(100):
        graph = random_graph(seed)
        text, mermaid = draw_ascii(graph), draw_mermaid(graph)
        for node in graph:
            assert f" {node} " in text
            assert f"[{node}]" in mermaid or f'[" {node} "]' in mermaid
