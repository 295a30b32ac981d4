"""The report in a real browser: chromium and playwright, if the machine has them. One browser for all tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from many import many
from runs import census
from test_report import HOSTILE, hostile
from test_tasks import CONDITIONS, varied

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: requirements/pages.txt")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

SECTIONS = ("verdict", "timeline", "path", "graph", "functions", "tasks", "about")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Return a function that opens the report of a run; afterwards the page must have had no error and no request."""
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 800}, offline=True)

    def open_report(run, address=""):
        path = tmp_path / "run.html"
        run.report(path)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or troubles.append(request.url))
        page.goto(path.as_uri() + address)
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_report
    context.close()
    assert troubles == []


def tasks_shown(page) -> list[str]:
    return page.locator("#tasks tbody td:first-child").all_inner_texts()


def test_all_sections_are_filled(opened):
    page = opened(census(40))
    for section in SECTIONS:
        assert len(page.locator(f"#{section}").inner_text().splitlines()) > 1, section
    assert page.locator("#path tbody tr").count() == 3
    pixels = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, 100).data"
    colors = f"canvas => new Set(new Uint32Array(({pixels})(canvas).buffer)).size"
    assert page.locator("#lanes").evaluate(colors) > 3


def test_filter_has_the_words_of_the_command_line(opened):
    page = opened(varied())
    for condition, names in CONDITIONS:
        page.fill("#filter", condition)
        page.dispatch_event("#filter", "input")
        expected = f"{len(names)} of 6 rows" if condition else "6 rows"
        playwright.expect(page.locator("#shown")).to_have_text(expected)
        assert tasks_shown(page) == (names or ["No task is like that."]), condition
    page.fill("#filter", "stauts=failed")
    playwright.expect(page.locator("#filter-says")).to_contain_text("stauts is nothing that a task has")


def test_sorting_and_the_address_keep_what_was_chosen(opened):
    page = opened(varied())
    page.click("#tasks th button >> text=Ran")
    assert page.locator("th[data-key=ran]").get_attribute("aria-sort") == "descending"
    assert tasks_shown(page)[0] == "batch_2"
    page.click("#tasks th button >> text=Ran")
    assert page.locator("th[data-key=ran]").get_attribute("aria-sort") == "ascending"
    page.fill("#filter", "batch")
    playwright.expect(page.locator("#shown")).to_have_text("3 of 6 rows")
    page.click("#tasks tbody tr >> nth=-1")
    assert "TimeoutError" in page.locator("#detail").inner_text() or "Traceback" in page.locator("#detail").inner_text()
    before = tasks_shown(page), page.locator("#detail").inner_text()
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert (tasks_shown(page), page.locator("#detail").inner_text()) == before
    assert page.input_value("#filter") == "batch"


def test_by_keys_alone(opened):
    page = opened(census(60))
    page.focus("#scroll")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "batch_000, attempt 1: completed on worker 0" in page.locator("#detail").inner_text()
    page.keyboard.press("End")
    assert "build_report" in page.locator("#detail").inner_text()
    assert page.locator("tr.chosen td:first-child").inner_text() == "build_report"
    page.focus("#lanes")
    page.keyboard.press("+")
    playwright.expect(page.locator("#span")).not_to_contain_text("0 µs to")
    page.keyboard.press("0")
    playwright.expect(page.locator("#span")).to_contain_text("0 µs to")


def test_a_click_on_a_box_tells_about_its_task(opened):
    page = opened(census(40))
    page.locator("#lanes").scroll_into_view_if_needed()
    page.locator("#lanes").click(position={"x": 600, "y": 26 * 2 + 13})
    assert page.locator("#detail").inner_text().startswith("batch_001, attempt 1: completed on worker 1.")


def test_a_box_of_the_graph_selects_its_tasks(opened):
    page = opened(census(60))
    page.click("#graph a[data-filter='fn:\"batch\"']")
    playwright.expect(page.locator("#shown")).to_have_text("61 of 64 rows")


def test_hostile_names_are_text(opened):
    page = opened(hostile())
    assert page.evaluate("() => window.pwned") is None
    assert page.title() == HOSTILE[0]
    assert tasks_shown(page)[0] == HOSTILE[0]
    page.click("#tasks tbody tr >> nth=1")
    assert HOSTILE[1] in page.locator("#detail").inner_text()
    with page.expect_download() as download:
        page.click("#save")
    lines = Path(download.value.path()).read_text(encoding="utf-8", errors="surrogateescape")
    assert "\n'=cmd|" in lines


def test_no_rule_of_accessibility_is_broken(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    import axe_playwright_python

    script = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()
    del axe
    page = opened(census(40))
    # The page allows no script but its own, so axe runs where the test runs: in a world beside the page.
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]
    session.send("Runtime.evaluate", {"expression": script, "contextId": world})
    told = "found.violations.map(each => [each.id, each.impact, each.nodes[0].html])"
    run = f"axe.run().then(found => JSON.stringify({told}))"
    found = session.send("Runtime.evaluate", {"expression": run, "contextId": world, "awaitPromise": True})
    assert json.loads(found["result"]["value"]) == []


def test_many_tasks(opened):
    """All of them: the last one can be reached, and the failed ones are counted."""
    page = opened(many(30_000, failures=50))
    page.focus("#scroll")
    page.keyboard.press("End")
    assert page.locator("tr.chosen td:first-child").inner_text() == "all"
    page.fill("#filter", "status:failed")
    playwright.expect(page.locator("#shown")).to_have_text("50 of 30\xa0002 rows")
