"""A folder of runs: its index, from there to each run, and two runs side by side, as files and served."""

from __future__ import annotations

import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from mx_agents.errors import UsageError
from mx_agents.report import write_pair, write_report
from mx_agents.report.folder import runs_in
from mx_agents.report.live import Viewer

HOSTILE = "<script>document.title='x'</script>"


@pytest.fixture
def runs(tmp_path: Path, bench_run: Callable[..., Path], training_run: Callable[..., Path]) -> Path:
    """Six runs: two benchmarks, one cut short, two trainings, one damaged; and folders that are no runs."""
    root = tmp_path / "runs"
    (root / "no-run").mkdir(parents=True)
    (root / "notes.txt").write_text("mine")
    for number, (name, options) in enumerate(
        {"a": {"tasks": 4}, "b": {"tasks": 6, "seeds": 1}, "deep/half": {"tasks": 4, "seeds": 1}}.items()
    ):
        (root / name).parent.mkdir(exist_ok=True)
        bench_run(**options).rename(root / name)
        os.utime(root / name / "config.yaml", (1e9 + number, 1e9 + number))
    kept = (root / "deep/half/episodes.jsonl").read_text().splitlines(keepends=True)[:7]
    (root / "deep/half/episodes.jsonl").write_text("".join(kept))
    training_run(steps=3).rename(root / f"t {HOSTILE.replace('/', '|')}")
    (root / "damaged").mkdir()
    (root / "damaged" / "config.yaml").write_text("{a: [")
    return root


def rows_of(page: str) -> dict[str, list[str]]:
    """The cells of each row, by the run's name."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
        cells = [
            unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)
        ]
        found[cells[0]] = cells[1:]
    return found


def test_the_index_says_of_each_run_when_what_result_and_state(runs: Path) -> None:
    page = write_report(runs)
    assert page == runs / "index.html"
    rows = rows_of(page.read_text("utf-8"))
    assert re.fullmatch(r"2001-09-0\d \d\d:\d\d", rows["a"][0])
    assert rows["a"][1:3] == [
        "bench",
        "single, vote, reflect, debate, split · software:micro, test · executor scripted",
    ]
    assert re.fullmatch(r"\w+ \d+\.\d%, the best of 5", rows["a"][3])
    assert rows["a"][4] == "complete"
    assert rows["deep/half"][4] == "going on: 7 of 20 episodes"
    assert rows["damaged"][4].startswith("cannot be read: ")
    [name] = [name for name in rows if name.startswith("t ")]
    assert rows[name][1] == "train"
    assert rows[name][4] == "complete"
    assert "no-run" not in rows
    assert [entry.name for entry in runs_in(runs)][-3:] == ["deep/half", "b", "a"]


def test_a_run_that_is_quiet_is_broken_off(runs: Path) -> None:
    old = time.time() - 10_000
    os.utime(runs / "deep/half/episodes.jsonl", (old, old))
    for path in (runs / "deep/half").iterdir():
        os.utime(path, (old, old))
    assert {entry.name: entry.state for entry in runs_in(runs)}["deep/half"] == "broken off: 7 of 20 episodes"


def test_every_link_leads_somewhere_and_hostile_names_stay_names(runs: Path) -> None:
    page = write_report(runs).read_text("utf-8")
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', page) if link != "data:,"]
    assert len(links) == 6  # four runs that can be read, two of them with one before
    for link in links:
        assert (runs / urllib.request.url2pathname(link)).is_file(), link
    assert "<script>document" not in page
    write_report(runs)  # again, over what is there


def test_reports_are_written_anew_only_where_there_is_news(runs: Path) -> None:
    write_report(runs)
    before = (runs / "a" / "report.html").stat().st_mtime_ns
    write_report(runs)
    assert (runs / "a" / "report.html").stat().st_mtime_ns == before
    os.utime(runs / "a" / "episodes.jsonl", (time.time() + 10, time.time() + 10))
    write_report(runs)
    assert (runs / "a" / "report.html").stat().st_mtime_ns > before


def test_two_runs_side_by_side(runs: Path, tmp_path: Path) -> None:
    page = write_pair(runs / "a", runs / "b", tmp_path / "side.html").read_text("utf-8")
    rows = rows_of(page)
    assert re.search(r"single</th><td>4</td>", page)  # the tasks of both
    assert "episodes" in rows
    assert rows["episodes"] == ["4", "6"]
    assert rows["seeds"] == ["2", "1"]
    [training] = [path for path in runs.iterdir() if path.name.startswith("t ")]
    mixed = write_pair(runs / "a", training, tmp_path / "mixed.html").read_text("utf-8")
    assert {"single", "co-evolution"} <= set(rows_of(mixed))
    with pytest.raises(UsageError, match="there is no run"):
        write_pair(runs / "a", runs / "nowhere")


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds none"):
        write_report(tmp_path)
    with pytest.raises(UsageError, match="holds none"):
        Viewer(tmp_path)


@pytest.fixture
def served(runs: Path) -> Iterator[Viewer]:
    with Viewer(runs) as viewer:
        thread = threading.Thread(target=viewer.serve_forever, daemon=True)
        thread.start()
        yield viewer
        viewer.shutdown()
        thread.join()


def get(viewer: Viewer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(viewer.url + path.lstrip("/"), timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_index_is_served_with_each_run_and_any_two(served: Viewer) -> None:
    status, index = get(served, "/")
    assert status == 200
    for link in (unescape(link) for link in re.findall(r'href="(/[^"]+)"', index)):
        assert get(served, link)[0] == 200, link
    assert "Leaderboard" in get(served, "/run/deep/half/")[1]
    assert "episodes.jsonl" in get(served, "/run/deep/half/version")[1]
    assert "Two runs side by side" in get(served, "/side?first=a&second=deep/half")[1]
    assert "form-action 'self'" in index


def test_the_index_keeps_up(served: Viewer) -> None:
    before = get(served, "/version")[1]
    assert get(served, "/version")[1] == before
    with (served.folder / "deep/half/episodes.jsonl").open("a") as file:
        file.write((served.folder / "a/episodes.jsonl").read_text().splitlines()[-1] + "\n")
    assert get(served, "/version")[1] != before
    assert "8 of 20 episodes" in get(served, "/")[1]


@pytest.mark.parametrize(
    "path",
    [
        "/run/nowhere/",
        "/run/../../etc/passwd",
        f"/run/{quote('../..', safe='')}/",
        "/run/damaged/",
        "/run//",
        "/side",
        "/side?first=a",
        f"/side?first=a&second={quote('../a')}",
        "/elsewhere",
    ],
)
def test_nothing_else_is_served(served: Viewer, path: str) -> None:
    assert get(served, path)[0] == 404
