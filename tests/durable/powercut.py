"""Lost power, simulated: what a program did to its files, as the system saw it, and what a disk may have of that.

Owns the model of the disk. A file's writes since it was last synced may each be there, or not, or in part, in any
order; changes of a directory are there in their order, up to some point that is not before the last sync of anything
(as on a file system with a journal). What is stored to a mapped file, no call shows: it is lost. Knows no store.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR = 512
TRACED = "openat,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,fallocate"
_CALL = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= (-?\d+)")


@dataclass
class File:
    """A file: what is surely on the disk, and what was written since."""

    kept: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """All of it is on the disk."""
        for place, data in self.pending:
            self.kept = changed(self.kept, place, data)
        self.pending.clear()

    def after_cut(self, random: Random) -> bytes:
        """What may be on the disk when the power goes now."""
        found = bytearray(self.kept)
        for place, data in self.pending:
            if data is None:
                if random.random() < 0.5:
                    found = changed(found, place, None)
                continue
            for sector in range(0, len(data), SECTOR):
                if random.random() < 0.5:
                    found = changed(found, place + sector, data[sector : sector + SECTOR])
        return bytes(found)


def changed(content: bytearray, place: int, data: bytes | None) -> bytearray:
    """Return a content with these bytes at a place; without any, cut or grown to that length."""
    if data is None:
        return content[:place] + bytes(max(0, place - len(content)))
    content = content + bytes(max(0, place - len(content)))
    content[place : place + len(data)] = data
    return content


@dataclass
class Disk:
    """What a directory has, and what it will have."""

    files: dict[str, File] = field(default_factory=dict)
    #: Changes of names that may be lost: (name, file or None).
    names: list[tuple[str, File | None]] = field(default_factory=list)
    kept: dict[str, File] = field(default_factory=dict)

    def name(self, name: str, file: File | None) -> None:
        """Let a name mean a file, or nothing."""
        self.names.append((name, file))
        if file is None:
            self.files.pop(name, None)
        else:
            self.files[name] = file

    def sync(self) -> None:
        """Names are on the disk: as on a file system with a journal, with whatever is synced."""
        self.names.clear()
        self.kept = dict(self.files)

    def surely(self) -> dict[str, bytes]:
        """What is there in any case."""
        return {name: bytes(file.kept) for name, file in self.kept.items()}

    def after_cut(self, random: Random) -> dict[str, bytes]:
        """What may be there when the power goes now."""
        found = dict(self.kept)
        for name, file in self.names[: random.randint(0, len(self.names))]:
            if file is None:
                found.pop(name, None)
            else:
                found[name] = file
        return {name: file.after_cut(random) for name, file in found.items()}


def traced(command: list[str], folder: Path, log: Path) -> list[tuple[str, str]]:
    """Run a program, and return its calls that change files of a folder, with their arguments."""
    options = ["-f", "-qq", "-y", "-xx", "-s", "10000000", "-e", f"trace={TRACED}", "-o", str(log)]
    subprocess.run(["strace", *options, *command], check=True, capture_output=True)
    calls = []
    begun: dict[str, str] = {}
    inside = "".join(f"\\x{byte:02x}" for byte in str(folder).encode())
    for line in log.read_text().splitlines():
        if line.endswith("<unfinished ...>"):
            begun[line.split()[0]] = line.removesuffix(" <unfinished ...>")
            continue
        resumed = re.match(r"^(\d+)\s+<\.\.\. \w+ resumed>", line)
        if resumed:
            line = begun.pop(resumed[1]) + line[resumed.end() :]
        found = _CALL.match(line)
        if found and int(found[3]) >= 0 and (inside in line or str(folder) in line):
            calls.append((found[1], found[2] + f" = {line.rsplit('= ', 1)[1]}"))
    return calls


def text(escaped: str) -> bytes:
    """Return the bytes that strace shows."""
    return bytes(int(each, 16) for each in escaped.split("\\x")[1:])


def _path(shown: str) -> str:
    """Return the name of a file from a descriptor's path, or a string, as strace shows it."""
    if "\\x" in shown:
        shown = text(shown).decode()
    return Path(shown).name


def apply(disk: Disk, call: str, arguments: str) -> None:
    """Let a call happen."""
    strings = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', arguments)
    descriptors = [_path(each) for each in re.findall(r"<([^>]*)>", arguments)]
    if call == "openat":
        name = _path(strings[0])
        if "O_CREAT" in arguments and name not in disk.files:
            disk.name(name, File())
    elif call == "rename":
        source, target = map(_path, strings)
        file = disk.files[source]
        disk.name(target, file)
        disk.name(source, None)
    elif call == "unlink":
        disk.name(_path(strings[0]), None)
    elif call in ("fsync", "fdatasync"):
        disk.sync()
        if descriptors[0] in disk.files:
            disk.files[descriptors[0]].sync()
    elif descriptors[0] in disk.files:  # else it has no name any more
        number = int(arguments.split(" = ")[0].rsplit(", ", 1)[1])
        data = text(strings[0]) if call == "pwrite64" else None
        disk.files[descriptors[0]].pending.append((number, data))
