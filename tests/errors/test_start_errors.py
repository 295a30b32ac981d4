"""Starting: which task a run begins with."""

import pytest
from reading import nothing

from graflow_fast.core.decorators import task
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import ConfigError, GraphCompilationError


def test_several_starts():
    """It names them, and both ways out."""
    with workflow("w") as wf:
        a, b, c = (task(name)(nothing) for name in "abc")
        a >> c
        b >> c
    with pytest.raises(GraphCompilationError) as caught:
        wf.execute()
    assert str(caught.value) == (
        "Multiple start nodes found, please specify one: a, b "
        "(execute(start_node=...), or schedule='parallel' to start all)"
    )


def test_no_start():
    """A loop needs a start."""
    with workflow("w") as wf:
        a, b = (task(name)(nothing) for name in "ab")
        a >> b >> a
    with pytest.raises(GraphCompilationError) as caught:
        wf.execute()
    assert str(caught.value) == (
        "No start node specified and no nodes with no predecessors found in workflow 'w': "
        "every task follows another one (a cycle needs execute(start_node=...))"
    )


def test_unknown_start():
    """A likely name, also of a group's member; else the names there are."""
    with workflow("w") as wf:
        publish, members = task("publish")(nothing), [task(name)(nothing) for name in ("first", "second")]
        publish >> (members[0] | members[1])
    for name, hint in (
        ("pubish", "Did you mean 'publish'?"),
        ("frist", "Did you mean 'first'?"),
        ("x", "There are: publish"),
    ):
        with pytest.raises(GraphCompilationError) as caught:
            wf.execute(name)
        assert str(caught.value).startswith(
            f"Start node '{name}' is neither in workflow 'w' nor a task of the module that built it. {hint}"
        )


def test_empty_workflow():
    """It would run the one unused task of the module, and there is none here."""
    source = "from graflow_fast.core.workflow import workflow\nwith workflow('w') as wf:\n    wf.execute()\n"
    with pytest.raises(GraphCompilationError) as caught:
        exec(source, {"__name__": "a_module"})
    assert str(caught.value) == (
        "Workflow 'w' is empty. It would adopt the one unused task of its module, but there is none"
    )


def test_empty_workflow_with_a_choice():
    """It names those it can't choose from."""
    source = (
        "from graflow_fast.core.decorators import task\n"
        "from graflow_fast.core.workflow import workflow\n"
        "a, b = task('a')(lambda: 1), task('b')(lambda: 2)\n"
        "with workflow('w') as wf:\n    wf.execute()\n"
    )
    with pytest.raises(GraphCompilationError) as caught:
        exec(source, {"__name__": "a_module"})
    assert str(caught.value) == (
        "Workflow 'w' is empty. It would adopt the one unused task of its module, "
        "but there are several that no workflow has used: a, b"
    )


def test_a_start_that_is_no_id():
    """A task in the place of its id, and anything else."""
    with workflow("w") as wf:
        a = task("a")(nothing)
    with pytest.raises(GraphCompilationError, match=r"^start_node takes the id of a task: execute\('a'\)$"):
        wf.execute(a)
    with pytest.raises(GraphCompilationError, match="^start_node takes the id of a task: not int$"):
        wf.execute(5)


@pytest.mark.parametrize("values", [["a"], "text", 3])
def test_first_values_that_are_no_mapping(values):
    """It says what they must be."""
    with workflow("w") as wf:
        task("a")(nothing)
    with pytest.raises(ConfigError) as caught:
        wf.execute(initial_channel=values)
    assert str(caught.value) == f"initial_channel={values!r} must be a mapping: a value for each key"
