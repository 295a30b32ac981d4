"""What a task is said to depend on besides its code: ``@task(cache=True, depends=...)``.

Owns what each kind of thing stands for: code for what it does, a path for the content of its file, all else for itself.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Any

from graflow_fast._cache.code_state import Code, key

__all__ = ["Dependencies"]


class Dependencies:
    """The things that a task depends on.

    Args:
        things: these, in any order.
    """

    def __init__(self, things: tuple[Any, ...]) -> None:
        functions = [getattr(each, "_definition", each) for each in things]
        functions = [getattr(each, "func", each) for each in functions]
        self._code = Code(*(each for each in functions if isinstance(each, (FunctionType, type, ModuleType))))
        self._paths = [each for each in things if isinstance(each, PurePath)]
        self._values = [each for each in functions if not isinstance(each, (FunctionType, type, ModuleType, PurePath))]
        self._files: dict[str, tuple[tuple[int, ...], bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._code.roots or self._paths or self._values)

    def current(self) -> tuple[Any, ...]:
        """Return what they are now, as something to make a key of.

        Raises:
            NoKeyError: one has no content.
            OSError: a file can't be read.
        """
        return self._code.current(), [self._content(os.fspath(each)) for each in self._paths], self._values

    def parts(self) -> dict[str, bytes]:
        """Return the key of each by a name for people."""
        named = {f"{name} (depends=)": part.key for name, part in self._code.parts.items()}
        for path, (_, content) in self._files.items():
            named[f"file {path}"] = content
        for place, value in enumerate(self._values):
            named[f"value {place + 1} of depends="] = key(value)
        return named

    def _content(self, path: str) -> bytes:
        """Return the key of a file's content, which is read anew when the file has changed."""
        found = os.stat(path)
        seen = found.st_mtime_ns, found.st_size, found.st_ino
        known = self._files.get(path)
        if known is None or known[0] != seen:
            whole = blake2b(digest_size=32)
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    whole.update(block)
            known = self._files[path] = seen, whole.digest()
        return known[1]
