"""Keys of code: all that the result of a function can depend on in the user's own files, part by part.

Owns the walk from a function to the helpers, classes and values that it names, transitively, and the rule for what is
installed: name and version, nothing of its inside. Each part has a name for people and a key of its own, so what has
changed can be said. What it can't see: names made of texts (`getattr`), files, the environment, the clock.
"""

from __future__ import annotations

import functools
import os
from hashlib import blake2b
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from graflow_fast._cache.normal_code import chains, imports, normal_form
from graflow_fast._cache.origin import installed_version, is_own, is_own_code, is_own_name, module_name, own_name
from graflow_fast._cache.value_keys import SIZE, NoKeyError, key_of
from graflow_fast._cache.watch import NOTED, Watch

__all__ = ["Part", "Walk", "digest", "parts_of"]


class Part(NamedTuple):
    """One of the things that a result depends on.

    Attributes:
        key: of its content, 32 bytes; where: file and line for people, empty for what stands nowhere.
    """

    key: bytes
    where: str = ""


def parts_of(function: Any) -> dict[str, Part]:
    """Return the parts of a function's code by name: itself, and all that it names in the user's own files.

    Raises:
        NoKeyError: it names a value without content; its ``path`` says which name of which function.
    """
    return Walk(function).parts


class Walk:
    """The way through all that functions and classes name.

    Args:
        roots: the functions and classes to start with.

    Attributes:
        parts: what was found, by name; watch: what must be as it is for these to hold.

    Raises:
        NoKeyError: as `parts_of`.
    """

    def __init__(self, *roots: Any) -> None:
        self.parts: dict[str, Part] = {}
        self.waiting: list[tuple[str, Any]] = []
        self.watch = Watch(self._code_of)
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no id is used again
        for root in roots:
            self.name_of(root)
        while self.waiting:
            self._take(*self.waiting.pop())

    def name_of(self, thing: Any) -> str:
        """Return the name of a function, class or module as a part; it will be one."""
        found = self._names.get(id(thing))
        if found is not None:
            return found
        kind = "module" if isinstance(thing, ModuleType) else "class" if isinstance(thing, type) else "function"
        module = "" if kind == "module" else module_name(thing)
        name = base = f"{kind} {module}{'.' if module else ''}{own_name(thing)}"
        count = 1
        while name in self._names.values():
            count += 1
            name = f"{base} #{count}"
        self._names[id(thing)] = name
        self._kept.append(thing)
        self.waiting.append((name, thing))
        return name

    def _take(self, name: str, thing: Any) -> None:
        """Make a part of something that was found."""
        where = ""
        self.parts[name] = Part(b"")  # before those that it names
        if isinstance(thing, FunctionType) and is_own(thing):
            code = thing.__code__
            self.watch.function(thing)
            if is_own_code(thing):
                content = self._function(name, thing)
                where = f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"
            else:
                content = self._wrapper(name, thing)
        elif isinstance(thing, type) and is_own(thing):
            content = self._class(name, thing)
            self.watch.attributes_of(thing)
        elif isinstance(thing, ModuleType) and is_own(thing):
            content = self._module(name, thing)
        elif isinstance(thing, (FunctionType, BuiltinFunctionType, ModuleType, type)):
            content = installed_version(thing)
        else:  # an object that can be called: what it is made of
            content = self._value(thing, name)
        self.parts[name] = Part(self._key(content, name), where)

    def _key(self, content: Any, name: str) -> bytes:
        try:
            return key_of(content, self._code_of)
        except NoKeyError as error:
            raise NoKeyError(f"what {name} holds{error.path}", error.kind) from error

    def _code_of(self, thing: Any) -> bytes:
        if isinstance(thing, MethodType):
            return self._key((self.name_of(thing.__func__), thing.__self__), "a method")
        if isinstance(thing, BuiltinFunctionType) and not isinstance(thing.__self__, (ModuleType, type(None))):
            return self._key((thing.__name__, thing.__self__), "a method")
        return self.name_of(thing).encode()

    # --- what each kind is made of

    def _function(self, name: str, function: FunctionType) -> Any:
        named_cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        # What annotations see of the class that is being made is the class, which is a part already.
        cells = tuple(self._cell(cell, name) for variable, cell in named_cells if variable != "__classdict__")
        defaults = self._value(function.__defaults__, name), self._value(function.__kwdefaults__, name)
        wrapped = self._value(getattr(function, "__wrapped__", None), name)
        self._named(name, function.__code__, function.__globals__)
        return normal_form(function.__code__), cells, defaults, wrapped

    def _wrapper(self, name: str, function: FunctionType) -> Any:
        """Write a function that a package has made of others: what it names there is in the package's version."""
        version = installed_version(str(function.__globals__.get("__name__") or ""))
        wrapped = self._value(getattr(function, "__wrapped__", None), name)
        if hasattr(function, "registry") and hasattr(function, "dispatch"):  # of functools.singledispatch
            by_class = {own_name(kind): made for kind, made in function.registry.items()}
            return "single dispatch", wrapped, {kind: self._value(by_class[kind], name) for kind in sorted(by_class)}
        cells = tuple(self._cell(cell, name) for cell in function.__closure__ or ())
        defaults = self._value(function.__defaults__, name), self._value(function.__kwdefaults__, name)
        return "wrapper", version, normal_form(function.__code__), cells, defaults, wrapped

    def _cell(self, cell: CellType, name: str) -> bytes:
        content = _content(cell)
        self.watch.cell(cell, content)
        return self._value(content, name)

    def _class(self, name: str, thing: type) -> Any:
        attributes = {
            attribute: self._attribute(value, name)
            for attribute, value in sorted(vars(thing).items())
            if attribute not in NOTED and type(value).__name__ not in ("getset_descriptor", "member_descriptor")
            and not attribute.startswith(("_abc_", "__abstract"))
        }  # fmt: skip
        return [self.name_of(base) for base in thing.__bases__], self.name_of(type(thing)), attributes

    def _attribute(self, value: Any, name: str) -> Any:
        if isinstance(value, (staticmethod, classmethod)):
            return type(value).__name__, self._value(value.__func__, name)
        if isinstance(value, property):
            return "property", *(self._value(each, name) for each in (value.fget, value.fset, value.fdel))
        if isinstance(value, functools.cached_property):
            return "cached_property", self._value(value.func, name)
        return self._value(value, name)

    def _module(self, name: str, module: ModuleType) -> Any:
        if getattr(module, "__file__", None) is None:
            return "folder", module.__name__
        try:
            with open(module.__file__ or "", "rb") as file:
                code = compile(file.read(), module.__name__, "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError):
            return "without source", sorted(vars(module))
        self._named(name, code, vars(module))
        return normal_form(code)

    def _value(self, value: Any, name: str) -> bytes:
        """Return the key of a value that a part holds; what stands for itself becomes a part."""
        wrapped = getattr(value, "__wrapped__", None) if type(value).__name__ == "_lru_cache_wrapper" else None
        definition = getattr(value, "_definition", None)  # a task: what its body is
        if definition is not None and hasattr(value, "_bound_kwargs"):
            return self._key(("task", self.name_of(definition.func), value._bound_kwargs), name)
        if type(value).__module__ == "logging" and hasattr(value, "manager"):
            return self._key(("logger", value.name), name)
        if wrapped is not None:
            return self._key(("cached", self.name_of(wrapped)), name)
        key = self._key(value, name)
        self.watch.content(value, key)
        return key

    # --- what code names

    def _named(self, name: str, code: CodeType, variables: dict[str, Any]) -> None:
        for chain in sorted(chains(code)):
            if chain[0] in variables:
                self.watch.binding(variables, chain[0], variables[chain[0]])
                self._global(name, chain, variables[chain[0]])
        package = str(variables.get("__package__") or "")
        for module_text, level, names in sorted(imports(code)):
            if not level and not is_own_name(module_text):
                self.parts[f"module {module_text}"] = Part(self._key(installed_version(module_text), module_text))
                continue
            module = _imported(module_text, level, package)
            if module is None:
                continue
            for each in names or ("",):
                self._global(name, (module.__name__, each) if each else (module.__name__,), module)

    def _global(self, name: str, chain: tuple[str, ...], value: Any) -> None:
        """Make a part of what a global name stands for, or of the attribute that is asked of a module."""
        length = 1
        while isinstance(value, ModuleType) and is_own(value) and length < len(chain) and hasattr(value, chain[length]):
            module, value = value, getattr(value, chain[length])
            self.watch.binding(vars(module), chain[length], value)
            length += 1
        text = ".".join(chain[:length])
        part = f"{text} of {name}"
        if part not in self.parts:
            self.parts[part] = Part(self._value_named(value, part))

    def _value_named(self, value: Any, part: str) -> bytes:
        try:
            return self._value(value, part)
        except NoKeyError as error:
            raise NoKeyError(part, error.kind) from error


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty so far
        return "empty"


def _imported(name: str, level: int, package: str) -> ModuleType | None:
    """Return a module that code would import; None if that fails, which the body will say."""
    import importlib

    try:
        return importlib.import_module("." * level + name, package or None)
    except Exception:
        return None


def digest(parts: dict[str, Part]) -> bytes:
    """Return one key for all parts."""
    whole = blake2b(digest_size=SIZE)
    for name, part in sorted(parts.items()):
        whole.update(len(name.encode()).to_bytes(4, "little") + name.encode() + part.key)
    return whole.digest()
