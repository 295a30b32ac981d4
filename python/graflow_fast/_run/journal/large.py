"""Large values of a durable run: files beside its store, named by their content, so that a value is there once.

Owns the files. Which bytes of an entry are large enough is `entries`' to say; that they go with their run the store's.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

from graflow_fast.exceptions import GraflowRuntimeError


class LargeValues:
    """The large values of one run."""

    def __init__(self, store: str, run: int) -> None:
        self._folder = Path(f"{store}-values-{run}")
        self._known: set[str] = set()

    def put(self, data: bytes) -> str:
        """Keep bytes; return their name.

        Raises:
            OSError: there is no room for them.
        """
        name = blake2b(data, digest_size=20).hexdigest()
        if name not in self._known:
            try:
                self._write(name, data)
            except OSError as error:
                raise OSError(error.errno, f"cannot write it: {error.strerror}", str(self._folder / name)) from error
            self._known.add(name)
        return name

    def _write(self, name: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / name
        if path.exists():
            return
        # Whole or not at all: who is killed here leaves a file that no entry names, and that is written again.
        draft = self._folder / f"{name}.new"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            # The system may write down the entry that will name it whenever it likes: it has to be there before.
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def get(self, name: str) -> bytes:
        """Return the bytes of a name.

        Raises:
            GraflowRuntimeError: they are gone, or others than they were.
        """
        path = self._folder / name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        if blake2b(data, digest_size=20).hexdigest() != name:
            raise GraflowRuntimeError(
                f"A value that this durable run has is gone or damaged: {path}. Bring the file back, or begin a new run"
            )
        self._known.add(name)
        return data
