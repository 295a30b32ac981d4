"""Write THIRD-PARTY-NOTICES.md: the licences of the crates that the extension module is made of, with their texts.

Owns which crates these are (what the module is linked from, on Linux; neither tests nor build scripts) and how their
texts are found. ``--check`` only says whether the file is what it would write now. Needs cargo, and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTICES = ROOT / "THIRD-PARTY-NOTICES.md"
MODULE = "graflow-fast-core"
#: Files that hold a licence or what must be kept with it, by the beginning of their names.
_TEXTS = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")
#: Of several licences to choose from, the text of one of these is enough, if a crate brings it; else all texts.
_PREFERRED = ("LICENSE-MIT", "LICENSE.MIT")
_HEAD = """# Third-party notices

The compiled part of graflow_fast contains the crates below, and of the standard library of Rust (MIT OR Apache-2.0,
<https://github.com/rust-lang/rust>) what it uses. This file is generated: `make notices`.
"""


def linked_crates() -> list[dict[str, Any]]:
    """Return the packages that the extension module is linked from, but for our own, by name."""
    said = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    metadata = json.loads(said.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [identity for identity, package in packages.items() if package["name"] == MODULE]
    seen = set(waiting)
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            is_macro = any("proc-macro" in target["kind"] for target in packages[dependency["pkg"]]["targets"])
            if is_linked and not is_macro and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    crates = [packages[identity] for identity in seen if packages[identity]["source"] is not None]
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def texts_of(crate: dict[str, Any]) -> list[str]:
    """Return the texts that must go with a crate."""
    folder = Path(crate["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(_TEXTS))
    chosen = [path for path in files if path.name.upper().startswith(_PREFERRED)]
    notices = [path for path in files if path.name.upper().startswith("NOTICE")]
    return [path.read_text(encoding="utf-8").strip() for path in (chosen + notices if chosen else files)]


def notices() -> str:
    """Return the whole file."""
    crates = linked_crates()
    lines = [_HEAD]
    by_text: dict[str, list[str]] = {}
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        lines.append(f"- {name}: {crate['license']}, <{crate['repository']}>")
        texts = texts_of(crate)
        if not texts:
            sys.exit(f"third_party_notices: {name} brings no text of its licence ({crate['license']})")
        for text in texts:
            by_text.setdefault(text, []).append(name)
    for text, names in by_text.items():
        lines.append(f"\n## {', '.join(names)}\n\n```text\n{text}\n```")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the file, or with ``--check`` compare it; return the exit code."""
    wanted = notices()
    if "--check" not in sys.argv[1:]:
        NOTICES.write_text(wanted, encoding="utf-8")
        return 0
    if NOTICES.exists() and NOTICES.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{NOTICES.name} is not what the crates say today: make notices")
    return 1


if __name__ == "__main__":
    sys.exit(main())
