"""What subprocesses print while the output of the thread that started them is kept: it is kept with it, in order.

A subprocess that is given no standard output inherits that of this whole process. One that a capturing thread starts
gets a file in memory instead. Owns these files; what else writes to descriptors 1 and 2 here (C code, `os.write`)
belongs to no thread, and is seen at once.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from graflow_fast._wire.crossing import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable


class ChildOutput:
    """Where the subprocesses of one body write."""

    __slots__ = ("_files", "_read_to")

    def __init__(self) -> None:
        #: Descriptors by kind of output, closed when nobody needs them any more.
        self._files: dict[int, int] = {}
        self._read_to = {STDOUT: 0, STDERR: 0}

    def descriptor(self, kind: int) -> int:
        """Return the descriptor of the file for standard output or error."""
        if kind not in self._files:
            name = "graflow-child-stdout" if kind == STDOUT else "graflow-child-stderr"
            self._files[kind] = os.memfd_create(name, os.MFD_CLOEXEC)
        return self._files[kind]

    def take(self) -> list[tuple[int, str]]:
        """Return what was written since the last call."""
        taken = []
        for kind, file in self._files.items():
            size = os.fstat(file).st_size - self._read_to[kind]
            data = os.pread(file, size, self._read_to[kind]) if size > 0 else b""
            if data:
                self._read_to[kind] += len(data)
                taken.append((kind, data.decode(errors="replace")))
        return taken

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        for file in self._files.values():
            close(file)


def redirect(subprocess: Any, output_of_this_thread: Callable[[], ChildOutput | None]) -> None:
    """Have subprocesses write to what the thread that starts them says, unless they are told where to write."""
    get_handles = subprocess.Popen._get_handles

    def _get_handles(self: Any, stdin: Any, stdout: Any, stderr: Any) -> Any:
        output = output_of_this_thread()
        if output is not None:
            if stdout is None or stdout is sys.stdout:
                stdout = output.descriptor(STDOUT)
            if stderr is None or stderr is sys.stderr:
                stderr = output.descriptor(STDERR)
        return get_handles(self, stdin, stdout, stderr)

    subprocess.Popen._get_handles = _get_handles
