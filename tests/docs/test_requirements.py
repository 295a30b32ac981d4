"""What development needs is said in pyproject.toml, and `make setup` installs the same."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def listed(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def of_pyproject(key: str) -> list[str]:
    (found,) = re.findall(rf"^{key} = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return re.findall(r'"([^"]+)"', found)


def project(requirement: str) -> str:
    return re.split("[<>=;]", requirement)[0]


def test_setup_installs_what_pyproject_asks_for() -> None:
    asked = {*of_pyproject("dependencies"), *of_pyproject("test"), *of_pyproject("check")}
    assert set(listed("development.txt")) == asked


def test_the_site_is_built_with_what_pyproject_asks_for() -> None:
    assert listed("site.txt") == of_pyproject("site")


def test_each_of_them_has_an_exact_version() -> None:
    locked = {project(line) for line in listed("locked.txt") if re.match(r"[\w-]+==[\d.]+", line)}
    assert {project(line) for name in ("development.txt", "site.txt", "pages.txt") for line in listed(name)} <= locked
