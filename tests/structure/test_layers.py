"""A part imports only from parts above it: at the top of a file and for types always, in functions but for a few faces.

The parts and their order are those of docs/design.md. Imports in functions that break the rule are listed as faces,
and the list may only shrink: a new one fails, and so does one that is listed and gone.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from imports import INSIDE, ROOT, TOP, TYPES, Import, circles, imports, modules

#: The parts, lowest first; those of one line are beside each other and don't import from each other either.
PARTS: list[dict[str, tuple[str, ...]]] = [
    {
        "ground": (
            "exceptions",
            "_actions",
            "_alias",
            "_borrowed",
            "_extras",
            "_hints",
            "_messages",
            "_span_ids",
            "_stacks",
            "_tracebacks",
            "_core",
        )
    },
    {"_store": ("_store",)},
    {"_record": ("_record",)},
    {"language": ("core", "channels", "trace", "coordination", "queue")},
    {"_wire": ("_wire",)},
    {"_body": ("_body",)},
    {"_cache": ("_cache",)},
    {"_worker": ("_worker",), "_pool": ("_pool",)},
    {"_places": ("_places",)},
    {"_run": ("_run",)},
    {"_calls": ("_calls",)},
    {"top": ("core.engine", "core.checkpoint", "utils", "install", "joblib", "dask", "__init__")},
    {"commands": ("_commands", "__main__")},
    {"absent": ("api", "debug", "hitl", "llm", "prompts", "worker")},
]

#: What parts may import from parts below them in functions: a part's one door for those above.
FACES = {
    ("_run", "core.checkpoint"),
    ("ground", "_wire.exception_pickling"),
    ("language", "_body.direct"),
    ("language", "_body.scope"),
    ("language", "_run.settings"),
    ("language", "_wire.by_value"),
    ("language", "core.checkpoint"),
    ("language", "core.engine"),
    ("language", "utils.graph"),
}

_RANKS = {part: rank for rank, beside in enumerate(PARTS) for part in beside}
_PREFIXES = {prefix: part for beside in PARTS for part, prefixes in beside.items() for prefix in prefixes}


def part_of(module: str) -> str | None:
    """The part that a module belongs to: that of its longest known beginning."""
    names = module.split(".")
    beginnings = (".".join(names[:length]) for length in range(len(names), 0, -1))
    return next((_PREFIXES[beginning] for beginning in beginnings if beginning in _PREFIXES), None)


def is_forbidden(each: Import) -> bool:
    """Whether an import leads to a part that is not above."""
    source, target = part_of(each.source), part_of(each.target)
    assert source is not None
    assert target is not None
    return source != target and _RANKS[target] >= _RANKS[source]


def forbidden(found: list[Import], *when: str) -> list[Import]:
    return [each for each in found if each.when in when and is_forbidden(each)]


def across_folders(found: list[Import]) -> set[str]:
    """Modules in circles that are not within one folder."""
    top = [each for each in found if each.when != INSIDE]
    return set().union(*(circle for circle in circles(top) if len({name.rpartition(".")[0] for name in circle}) > 1))


def check_list(found: set[str], listed: set[str], what: str) -> None:
    new, gone = sorted(found - listed), sorted(listed - found)
    assert not new, f"{what}: new, and not allowed: {new}"
    assert not gone, f"{what}: gone (good), so take it from the list: {gone}"


def test_each_module_belongs_to_a_part():
    """A new folder has to find its place in the order first."""
    assert [module for module in modules() if part_of(module) is None] == []


def test_parts_import_from_parts_above_them():
    """At the top of files and for types."""
    assert sorted(str(each) for each in forbidden(imports(), TOP, TYPES)) == []


def test_functions_import_from_parts_below_only_by_their_faces():
    found = {(str(part_of(each.source)), each.target) for each in forbidden(imports(), INSIDE)}
    check_list({f"{part} -> {target}" for part, target in found}, {f"{p} -> {t}" for p, t in FACES}, "faces")


def test_no_circles_but_within_a_folder():
    assert sorted(across_folders(imports())) == []


def untyped_attributes(text: str) -> set[str]:
    """Attributes of the class `Run` that are annotated `Any`, in its body or in its methods."""
    run = next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef) and node.name == "Run")
    found = set()
    for node in ast.walk(run):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) in ("Any", "typing.Any", "Any | None"):
            if isinstance(node.target, ast.Attribute) and ast.unparse(node.target.value) == "self":
                found.add(node.target.attr)
            elif isinstance(node.target, ast.Name) and node in run.body:
                found.add(node.target.id)
    return found


def test_the_driver_knows_the_types_of_its_parts():
    text = (ROOT / "_run" / "driver.py").read_text(encoding="utf-8")
    assert untyped_attributes(text) == set()


def test_only_the_engine_knows_the_driver():
    """Its parts get what they use: as arguments, or as a protocol at their top."""
    assert {each.source for each in imports() if each.target == "_run.driver"} == {"core.engine"}


def test_reading_a_record_needs_nothing_of_what_runs():
    """So other processes can look at a run without loading an executor."""
    found = [each for each in imports() if part_of(each.source) == "_record"]
    assert found
    assert {part_of(each.target) for each in found} <= {"_record", "_store", "ground"}


# --- the test sees what it is there for


@pytest.fixture
def planted(tmp_path: Path):
    """Return a function that makes a package of files and returns its imports."""

    def make(**files: str) -> list[Import]:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text)
        return imports(tmp_path)

    return make


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("from graflow_fast._run.driver import Run", TOP),
        ("from graflow_fast._run import driver", TOP),
        ("import graflow_fast._run.driver", TOP),
        ("from .._run.driver import Run", TOP),
        ("try:\n    from graflow_fast._run import driver\nexcept ImportError:\n    pass", TOP),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from graflow_fast._run.driver import Run", TYPES),
        ("import typing\nif typing.TYPE_CHECKING:\n    import graflow_fast._run.driver", TYPES),
        ("def f():\n    from graflow_fast._run.driver import Run", INSIDE),
        ("class C:\n    async def f(self):\n        import graflow_fast._run.driver", INSIDE),
        ("def f():\n    import_late('graflow_fast._run.driver')", INSIDE),
        ("def f():\n    importlib.import_module('graflow_fast._run.driver')", INSIDE),
    ],
)
def test_a_forbidden_import_is_seen(planted, text, when):
    """However it is written."""
    found = forbidden(planted(_run__driver="class Run: ...", _wire__crossing=text), when)
    assert [str(each) for each in found] == ["_wire.crossing -> _run.driver"]


def test_an_allowed_import_is_not(planted):
    found = planted(_run__driver="from graflow_fast._wire import crossing", _wire__crossing="import os")
    assert [str(each) for each in found] == ["_run.driver -> _wire.crossing"]
    assert forbidden(found, TOP, TYPES, INSIDE) == []


def test_a_circle_is_seen(planted):
    """Of three, across folders, one of its imports for types only."""
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from graflow_fast._run.a import A"
    files = {"_run__a": "from graflow_fast._run.maps.b import B", "_run__maps__b": "from graflow_fast._run import c"}
    assert across_folders(planted(**files, _run__c=types)) == {"_run.a", "_run.maps.b", "_run.c"}
    assert across_folders(planted(**files, _run__c="import os")) == set()


def test_an_untyped_attribute_is_seen():
    body = "self.b: Any = 1; self.c: int = 2; d: Any = 3"
    text = f"class Run:\n    a: Any\n    def __init__(self):\n        {body}"
    assert untyped_attributes(text) == {"a", "b"}


def test_a_list_may_only_shrink():
    with pytest.raises(AssertionError, match="not allowed"):
        check_list({"a", "b"}, {"a"}, "x")
    with pytest.raises(AssertionError, match="take it from the list"):
        check_list({"a"}, {"a", "b"}, "x")
