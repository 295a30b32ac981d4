"""The report as a file: what is in it, its size, and that nothing of a run becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import pytest
from many import many
from runs import Recorder, census

from graflow_fast._record.columns import FAILED
from graflow_fast._record.layers import layers_of
from graflow_fast._record.packing import pack, time_unit
from graflow_fast._record.report import html_page
from graflow_fast.exceptions import ConfigError

#: What names and messages may hold.
HOSTILE = [
    "</script><script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", "<!--",
    "]]>", "a\u2028b", "nul\x00",
    "\u202eright", "half\udc80",
    '"quoted" & \'ed\'', "=cmd|' /C calc'!A0", "{{script}}", "x" * 1_000_000,
]  # fmt: skip


def hostile():
    made = Recorder(workflow=HOSTILE[0], error=HOSTILE[1])
    for turn, text in enumerate(HOSTILE):
        made.node(text, HOSTILE[1] if turn == 2 else None)
        made.row(text, turn, turn + 1, outcome=FAILED, error=(text[:50], text, text))
    made.group(HOSTILE[0] + "group", HOSTILE)
    return made.run(outcome="failed")


class Elements(HTMLParser):
    """Which elements a page has, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and data.strip():
            self.scripts.append(data)


def facts_of(page: str):
    return json.loads(re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)[1])


def test_a_small_run_makes_a_small_file(tmp_path):
    census(122).report(tmp_path / "run.html")
    assert (tmp_path / "run.html").stat().st_size <= 60_000


def test_it_allows_no_script_but_its_own_and_asks_the_network_for_nothing():
    page = html_page(census())
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in page
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", page)


def test_nothing_of_a_run_becomes_markup():
    plain, page = Elements(html_page(census())), Elements(html_page(hostile()))
    assert "img" not in page.tags
    assert page.tags.count("script") == plain.tags.count("script") == 3
    assert not [name for name in page.attributes if name.startswith("on")]
    html_page(hostile()).encode()


def test_its_rows_are_those_of_the_run():
    """Unpacked here by the rules that packing.py states; times to the microsecond."""
    columns = census(40).columns()
    packed = pack(columns)
    data, at, found = zlib.decompress(packed.data), 0, {}
    for name, code, count in packed.layout["columns"]:
        width = {"B": 1, "H": 2, "h": 2, "i": 4}[code]
        planes = data[at : at + width * count]
        at += width * count
        rows = zip(*(planes[plane * count : (plane + 1) * count] for plane in range(width)), strict=True)
        found[name] = [int.from_bytes(bytes(each), "little", signed=code in "hi") for each in rows]
    names, _, errors = json.loads(data[at:])
    total, nodes = 0, []
    for step in found["node"]:
        nodes.append(total := total + step)
    assert nodes == list(columns.node)
    assert names == columns.names
    assert {int(row): tuple(error) for row, error in errors.items()} == columns.errors
    assert bytes(found["outcome"]) == bytes(columns.outcome)
    last_end: dict[int, int] = {}
    for worker, gap, ran, end in zip(found["worker"], found["gap"], found["ran"], columns.end, strict=True):
        last_end[worker] = last_end.get(worker, 0) + gap + ran
        assert end != end or last_end[worker] == pytest.approx(end * 1e6, abs=1)


@pytest.mark.parametrize(("latest", "unit"), [(0, 1e-6), (2000, 1e-6), (3000, 1e-5), (86_400, 1e-4)])
def test_long_runs_have_a_coarser_unit(latest, unit):
    assert time_unit(latest) == unit


def test_of_a_run_that_is_too_large_the_telling_rows_are_kept_and_the_page_says_so():
    run = many(10_000, failures=100)
    page = html_page(run, max_mb=0.1)
    facts = facts_of(page)
    assert len(page) <= 100_000
    assert "of 10\xa0002 rows, all failures included" in facts["leftOut"]
    assert 1000 < facts["layout"]["rows"] < 9900
    assert len(facts["path"]) == len(run.path.steps)
    assert sum(each[1] for each in facts["functions"]) == 10_001  # sums are those of all
    assert facts_of(html_page(run))["leftOut"] == ""


def test_a_limit_that_no_report_can_keep_is_refused():
    with pytest.raises(ConfigError, match=r"max_mb=0.01 is too little for a report"):
        html_page(census(), max_mb=0.01)


def test_a_report_of_nothing():
    facts = facts_of(html_page(Recorder().run()))
    assert (facts["path"], facts["failures"], facts["functions"]) == ([], [], [])


def test_graphs_of_many_functions_are_folded():
    page = html_page(many(500, failures=1))
    assert page.count('class="box"') == 7
    made = Recorder()
    for number in range(1000):
        made.row(f"f{number}", 0, 1)
    assert html_page(made.run()).count('class="box"') == 300
    assert "700 functions more are not drawn" in html_page(made.run())


def test_layers():
    assert layers_of(4, [(0, 1), (0, 2), (1, 3), (2, 3)]) == [[0], [1, 2], [3]]
    assert layers_of(3, [(0, 1), (1, 2), (2, 1)]) == [[0], [1], [2]]  # a loop
    assert layers_of(4, [(0, 3), (1, 2)]) == [[0, 1], [3, 2]]  # without a crossing
    assert layers_of(0, []) == []
    chain = [(node, node + 1) for node in range(999)]
    assert len(layers_of(1000, chain)) == 1000
