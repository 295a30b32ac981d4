"""A mapping that the task before returned: whole or its item, by the parameter's annotation, never by its content."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Dict, List, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union  # noqa: UP035

import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import GraflowRuntimeError

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


class Words(TypedDict):
    words: int


class Plain:
    pass


class HasKeys(Protocol):
    def keys(self) -> Any: ...


T = TypeVar("T")
Number = NewType("Number", int)
Table = NewType("Table", dict)

WHOLE = [
    None,
    Any,
    object,
    dict,
    Dict[str, int],  # noqa: UP006
    dict[str, int],
    Mapping,
    Counter,
    "OrderedDict[str, int]",
    defaultdict,
    Words,
    Optional[dict],  # noqa: UP045
    Union[int, Mapping],  # noqa: UP007
    int | dict,
    T,
    HasKeys,
    Iterable[str],
    Annotated[dict, "note"],
    Table,
    "dict",
    "Nowhere",
    "int | Nowhere",
]
ITEM = [
    int,
    float,
    str,
    list,
    List[int],  # noqa: UP006
    Sequence[int],
    Plain,
    Optional[int],  # noqa: UP045
    int | None,
    Callable[[], int],
    Literal[1, 2],
    Number,
    Annotated[int, "note"],
    "int",
    "list[int]",
    "int | None",
]


def top(annotation):
    def body(words):
        return words

    if annotation is not None:
        body.__annotations__["words"] = annotation
    return body


@EXECUTORS
@pytest.mark.parametrize("value", [{"the": 2, "words": 1}, Counter("ab"), OrderedDict(words=1)], ids=str)
def test_as_a_whole(executor, value):
    """Without an annotation, and with one that a mapping fits, whatever keys it has."""
    for annotation in WHOLE:
        with workflow("w") as wf:
            task("count")(lambda: value) >> task("top")(top(annotation))
            assert wf.execute("count", executor=executor) == value, annotation


@EXECUTORS
def test_its_item(executor):
    """With an annotation that no mapping fits; when there is no such item, the whole is what there is."""
    for annotation in ITEM:
        for value, expected in (({"the": 2, "words": 1}, 1), ({"the": 2}, {"the": 2})):
            with workflow("w") as wf:
                task("count")(lambda value=value: value) >> task("top")(top(annotation))
                assert wf.execute("count", executor=executor) == expected, annotation


@EXECUTORS
def test_items_of_several(executor):
    """Several open parameters are filled by name, however they are annotated."""

    def both(words: dict, more, rest=3):
        return words, more, rest

    with workflow("w") as wf:
        task("count")(lambda: {"words": 1, "more": 2}) >> task("both")(both)
        assert wf.execute("count", executor=executor) == (1, 2, 3)
    with workflow("w") as wf:
        task("count")(lambda: {"words": 1}) >> task("both")(both)
        with pytest.raises(GraflowRuntimeError, match="'more'"):
            wf.execute("count", executor=executor)
