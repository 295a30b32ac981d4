"""Say whether what is checked out can be released: version, changelog, tag, licences, known vulnerabilities.

Owns the list of these checks. What can't be checked here, since a tool or its database can't be reached, is said so and
does not stop a release; what is wrong does. Changes nothing. Run by ``make release``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What a tool says when its database can't be reached, or it is not there at all.
_UNREACHED = re.compile(
    r"(?i)couldn't fetch|failed to (fetch|acquire|download|clone)|connection|network|"
    r"could not (resolve|connect)|dns|timed? ?out|max retries|unreachable|no module named|HTTPError|403|404|50[0-9]"
)


class Unknown(Exception):
    """A check could not be made; the message says why."""


class Wrong(Exception):
    """A check found something that must not be released."""


def text(*command: str) -> str:
    """Return what a command printed, all of it."""
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.strip()


def version() -> str:
    """Return the version: that of the workspace in Cargo.toml, the one place where it stands."""
    found = re.search(r'\[workspace\.package\]\nversion = "([^"]+)"', (ROOT / "Cargo.toml").read_text())
    if found is None:
        raise Wrong("Cargo.toml has no version under [workspace.package]")
    return found[1]


def one_version() -> str:
    """The version stands in one place; all else takes it from there."""
    number = version()
    for manifest in sorted((ROOT / "rust").glob("*/Cargo.toml")):
        if "version.workspace = true" not in manifest.read_text():
            raise Wrong(f"{manifest.relative_to(ROOT)} has a version of its own")
    project = (ROOT / "pyproject.toml").read_text().split("[project.optional")[0]
    if re.search(r"^version\s*=", project, re.MULTILINE) or 'dynamic = ["version"]' not in project:
        raise Wrong("pyproject.toml has a version of its own")
    stale = [line for line in (ROOT / "Cargo.lock").read_text().split("[[package]]") if 'name = "graflow-' in line]
    if any(f'version = "{number}"' not in entry for entry in stale):
        raise Wrong("Cargo.lock has another version: cargo update --workspace")
    return number


def changelog() -> str:
    """Its first section is this version's, with the day of the release."""
    heading = re.search(r"^## \[([^\]]+)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if heading is None or heading[1] != version():
        raise Wrong(f"the first section of CHANGELOG.md is not that of {version()}")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", heading[2]):
        raise Wrong(f"CHANGELOG.md says that {version()} is {heading[2]!r}; write the day of the release there")
    return heading[2]


def tag() -> str:
    """What is checked out is tagged with the version, and nothing is changed beside it."""
    changed = text("git", "status", "--porcelain")
    if changed:
        raise Wrong(f"there are changes that are not committed:\n{changed}")
    name = f"v{version()}"
    if name not in text("git", "tag", "--points-at", "HEAD").split():
        raise Wrong(f"this commit has no tag {name}: git tag -a {name}")
    return name


def licences() -> str:
    """The licence's text is there, and the notices name exactly the crates that are linked today."""
    if "Apache License" not in (ROOT / "LICENSE").read_text()[:200]:
        raise Wrong("LICENSE is not the text of the licence that pyproject.toml names")
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "third_party_notices.py"), "--check"], cwd=ROOT)
    if done.returncode != 0:
        raise Wrong("THIRD-PARTY-NOTICES.md is not of today: make notices")
    return "LICENSE, THIRD-PARTY-NOTICES.md"


def audit(name: str, command: list[str]) -> Callable[[], str]:
    """Return the check that a tool finds nothing."""

    def check() -> str:
        if shutil.which(command[0]) is None:
            raise Unknown(f"{name} is not installed")
        done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if "no such command" in done.stdout:
            raise Unknown(f"it is not installed: cargo install {command[0]}-{command[1]}")
        unaudited = done.stdout.count("could not be audited")  # which is no failure to the tool
        if done.returncode == 0 and unaudited:
            raise Unknown(f"its database can't be reached from here: {unaudited} packages could not be audited")
        if done.returncode == 0:
            return "nothing found"
        if _UNREACHED.search(done.stdout) and "RUSTSEC-" not in done.stdout and "GHSA-" not in done.stdout:
            lines = done.stdout.strip().splitlines()
            said = next((line for line in lines if _UNREACHED.search(line)), lines[-1])
            raise Unknown(f"it, or its database can't be reached from here: {said.strip()[:160]}")
        raise Wrong(done.stdout.strip())

    return check


def checks() -> Iterator[tuple[str, Callable[[], str]]]:
    """All checks, by name."""
    pip_audit = str(Path(sys.executable).parent / "pip-audit")
    yield "version in one place", one_version
    yield "changelog", changelog
    yield "tag", tag
    yield "licence files", licences
    yield "cargo audit", audit("cargo", ["cargo", "audit"])
    yield "cargo deny", audit("cargo", ["cargo", "deny", "check"])
    locked = str(ROOT / "requirements" / "locked.txt")
    yield "pip-audit", audit("pip-audit", [pip_audit, "--disable-pip", "--no-deps", "-r", locked])


def main() -> int:
    """Make all checks, and say of each what it found; return the exit code."""
    is_wrong = False
    for name, check in checks():
        try:
            print(f"ok           {name}: {check()}")
        except Unknown as why:
            print(f"NOT CHECKED  {name}: {why}")
        except Wrong as why:
            is_wrong = True
            print(f"WRONG        {name}: {why}")
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
