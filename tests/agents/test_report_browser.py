"""The report in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mx_agents.report import write_report
from mx_agents.report.live import Viewer

pytest.importorskip("playwright.sync_api", reason="needs playwright, of the dev extra")
from playwright.sync_api import Browser, Page, expect, sync_playwright

HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">\u2028&amp;\ud800"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

REQUIRED = "chromium" in os.environ.get("MX_REQUIRE", "").split(",")  # then its lack is a failure
needs_a_browser = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="needs a Chromium")

pytestmark = needs_a_browser

Run = Callable[..., Path]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page and checks at the end that nothing on it went wrong or reached for the network."""
    faults: list[str] = []
    pages: list[Page] = []

    def open_page(url: str, **options: Any) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, **options)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on(
            "request", lambda request: None if request.url.startswith(ALLOWED) else faults.append(request.url)
        )
        page.goto(url)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert faults == []


ALLOWED = ("file:", "data:", "blob:", "http://127.0.0.1:")


def rows(page: Page) -> Any:
    return page.locator("#browser > div > details")


def test_what_a_model_wrote_stays_text_even_without_the_policy(
    bench_run: Run, opened: Open, tmp_path: Path
) -> None:
    path = write_report(bench_run(text=HOSTILE, tasks=3))
    source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"))
    copy = tmp_path / "copy.html"
    copy.write_text(source, encoding="utf-8")
    page = opened(copy.as_uri())
    rows(page).first.locator("summary").first.click()
    expect(page.get_by_text("<img src=x").first).to_be_visible()
    assert page.title() == "Methods side by side"
    assert page.locator("img").count() == 0


def test_rollout_trees_of_a_training_run_open_down_to_turns(training_run: Run, opened: Open) -> None:
    page = opened(write_report(training_run()).as_uri())
    expect(page.get_by_role("status")).to_have_text("4 of 4 shown")
    for text in ("step 0", "Design 1", "Execution 1", "1. coder"):
        page.locator("summary", has_text=text).first.click()
    expect(page.get_by_text("answer of executor_0").first).to_be_visible()


def test_episodes_are_searched_filtered_and_opened_by_keyboard(bench_run: Run, opened: Open) -> None:
    folder = bench_run(tasks=12)
    text = (folder / "episodes.jsonl").read_text().splitlines()
    row = json.loads(text[17])
    row["episode"]["turns"][0]["answer"] = (
        'I look.\n```tool\n{"name": "run", "arguments": {"command": "needle"}}\n```'
    )
    text[17] = json.dumps(row)
    (folder / "episodes.jsonl").write_text("\n".join(text) + "\n")
    page = opened(write_report(folder).as_uri())
    status = page.get_by_role("status")
    expect(status).to_have_text("40 of 120 shown")
    page.get_by_label("Method", exact=True).select_option("split")
    expect(status).to_have_text("24 of 24 shown")
    page.get_by_label("Method", exact=True).select_option("")
    page.keyboard.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("needle")
    expect(status).to_have_text("0 of 0 shown")  # in no name
    page.keyboard.press("Enter")
    expect(status).to_have_text("1 of 1 shown")  # but in a text
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("summary", has_text="1. coder").click()
    expect(page.get_by_text("tool call: run")).to_be_visible()
    assert "search=needle" in page.url
    page.get_by_label("Show", exact=True).select_option("trees by task")
    expect(page.locator("summary", has_text="1 designs")).to_be_visible()


def test_ten_thousand_episodes_stay_small_and_fast(bench_run: Run, opened: Open, tmp_path: Path) -> None:
    path = write_report(bench_run(tasks=1000))
    assert path.stat().st_size < 6_000_000
    began = time.monotonic()
    page = opened(path.as_uri())
    status = page.get_by_role("status")
    expect(status).to_have_text("40 of 10000 shown")
    loaded = time.monotonic() - began
    began = time.monotonic()
    page.get_by_label("Search", exact=True).fill("micro-0-test-77")
    expect(status).to_have_text("40 of 110 shown")
    rows(page).nth(1).locator("summary").first.click()
    expect(page.get_by_text("Handed in")).to_be_visible()
    assert loaded < 8.0  # seconds on a busy machine; about half of one on an idle one
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_in_dark(
    bench_run: Run, opened: Open, tmp_path: Path, scheme: str
) -> None:
    page = opened(write_report(bench_run(tasks=5)).as_uri(), color_scheme=scheme)
    shot = tmp_path / "shot.png"
    page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 20_000
    ink, paper = (
        sum(
            int(part)
            for part in re.findall(r"\d+", page.evaluate(f"getComputedStyle(document.body).{name}"))[:3]
        )
        for name in ("color", "backgroundColor")
    )
    assert (ink < paper) == (scheme == "light")
    assert abs(ink - paper) > 400


def test_a_cell_of_the_matrix_leads_to_its_episodes(bench_run: Run, opened: Open) -> None:
    page = opened(write_report(bench_run(tasks=5)).as_uri())
    page.locator(".cell[data-row]").first.click()
    expect(page.get_by_role("status")).to_have_text("2 of 2 shown")


def test_a_live_page_keeps_up_with_its_run(bench_run: Run, opened: Open) -> None:
    folder = bench_run(tasks=3)
    lines = (folder / "episodes.jsonl").read_text().splitlines(keepends=True)
    (folder / "episodes.jsonl").write_text("".join(lines[:10]))
    with Viewer(folder) as viewer:
        thread = threading.Thread(target=viewer.serve_forever, args=(0.05,))
        thread.start()
        try:
            page = opened(viewer.url)
            expect(page.get_by_role("status")).to_have_text("10 of 10 shown")
            page.wait_for_timeout(2500)  # it has asked once
            (folder / "episodes.jsonl").write_text("".join(lines))
            expect(page.get_by_role("status")).to_have_text("30 of 30 shown", timeout=15_000)
        finally:
            viewer.shutdown()
            thread.join()
