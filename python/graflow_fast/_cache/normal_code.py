"""Code without what changes nothing: line numbers, file names, docstrings, comments, and where constants stand.

Owns the form in which a code object is written out before it is hashed, and which names and modules it asks for. Two
functions of one meaning but for such things have one form in one version of Python. Must not know what names mean.
"""

from __future__ import annotations

import dis
import functools
from types import CodeType
from typing import Any

__all__ = ["chains", "imports", "normal_form"]

#: Instructions that do nothing; where they stand depends on lines.
_IDLE = frozenset(("NOP", "CACHE", "EXTENDED_ARG", "RESUME"))

#: What a class notes of itself in its body, and no function of it looks at.
_NOTED = frozenset(("__doc__", "__firstlineno__", "__qualname__", "__static_attributes__"))

#: The flag of code whose first constant is its docstring (3.13 and later).
_HAS_DOCSTRING = 0x4000000


#: Two steps in one, and each by itself.
_PAIRS = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}


def normal_form(code: CodeType) -> tuple[Any, ...]:
    """Return what a code object does, as values that hash the same wherever it stands."""
    instructions = _instructions(code)
    places = {each.offset: place for place, each in enumerate(instructions)}
    ends = sorted(places)
    steps = tuple(_step(each, places, ends) for each in instructions)
    handlers = tuple(
        (
            _place(each.start, places, ends),
            _place(each.end, places, ends),
            _place(each.target, places, ends),
            each.depth,
        )
        for each in getattr(dis.Bytecode(code), "exception_entries", ())
    )
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~_HAS_DOCSTRING
    return counts, code.co_varnames, code.co_cellvars, code.co_freevars, steps, handlers


def chains(code: CodeType) -> set[tuple[str, ...]]:
    """Return the global names that code asks for, each with the attributes that it asks them for at once.

    ``numpy.linalg.norm(x)`` gives ``("numpy", "linalg", "norm")``. Inner functions and classes count.
    """
    found: set[tuple[str, ...]] = set()
    current: list[str] = []
    for each in _instructions(code):
        if current and each.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            current.append(str(each.argval))
            continue
        if current:
            found.add(tuple(current))
            current = []
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            current = [str(each.argval)]
    if current:
        found.add(tuple(current))
    for inner in _inner(code):
        found |= chains(inner)
    return found


def imports(code: CodeType) -> set[tuple[str, int, tuple[str, ...]]]:
    """Return what code imports when it runs: (module, level, names taken from it). Inner functions count."""
    found: set[tuple[str, int, tuple[str, ...]]] = set()
    instructions = _instructions(code)
    for place, each in enumerate(instructions):
        if each.opname == "IMPORT_NAME":
            names, level = instructions[place - 1].argval, instructions[place - 2].argval
            found.add((str(each.argval), int(level or 0), tuple(names or ())))
    for inner in _inner(code):
        found |= imports(inner)
    return found


def _inner(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


@functools.lru_cache(64)  # each code is asked for its form, its names and its imports
def _instructions(code: CodeType) -> list[dis.Instruction]:
    kept: list[dis.Instruction] = []
    for each in dis.get_instructions(code):
        if each.opname in _IDLE:
            continue
        if each.opname == "STORE_NAME" and each.argval in _NOTED and kept and kept[-1].opname.startswith("LOAD_"):
            kept.pop()
            continue
        single = _PAIRS.get(each.opname)
        if single is None:
            kept.append(each)
        else:  # two steps that are one where they stand in one line
            for place, (name, variable) in enumerate(zip(single, each.argval, strict=True)):
                kept.append(each._replace(opname=name, argval=variable, offset=each.offset + place))
    return kept


def _step(each: dis.Instruction, places: dict[int, int], ends: list[int]) -> tuple[Any, ...]:
    if each.opcode in dis.hasjrel or each.opcode in dis.hasjabs:
        return each.opname, "to", _place(each.argval, places, ends)
    if each.opcode in dis.hasconst:
        return each.opname, _constant(each.argval)
    if isinstance(each.argval, (str, tuple)):  # names, with what else the number says
        return each.opname, each.argval, "" if "_FAST" in each.opname else each.argrepr
    return each.opname, each.arg


def _constant(value: Any) -> Any:
    """Return a constant as a value; code in its normal form."""
    if isinstance(value, CodeType):
        return "code", normal_form(value)
    if type(value) is tuple:
        return "tuple", tuple(_constant(item) for item in value)
    return "value", value


def _place(offset: int, places: dict[int, int], ends: list[int]) -> int:
    """Return the number of the first instruction that counts at an offset or behind it."""
    found = places.get(offset)
    if found is not None:
        return found
    following = next((end for end in ends if end >= offset), None)
    return len(places) if following is None else places[following]
