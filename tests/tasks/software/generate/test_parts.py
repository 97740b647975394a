"""Operators, hunks, diffs and task directories by themselves."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mx_tasks.answers.patches import PatchError, apply_diff, diff_of, files_in_answer
from mx_tasks.harbor.directory import (
    TaskDirectory,
    TaskDirectoryError,
    base_config,
    read_directory,
    toml_text,
    write_directory,
)
from mx_tasks.software.generate.hunks import groups, revert
from mx_tasks.software.generate.operators import OPERATORS, sites
from mx_tasks.software.generate.preparing import packages_for
from mx_tasks.software.generate.trees import is_test, take_apart

from ..conftest import NEW, OLD  # noqa: TID252  # what the shelves of this domain share

EVERYTHING = '''
def f(a, b=1, *, key=None):
    """A docstring with 1 < 2."""
    while a < 3 and b:
        a += 1
        if not b:
            break
        print(a, b, sep="x")
    items = [a + b, -a, True, max(a, b), items_of(a)[0], a[1:2]]
    return (a if b else 2) or sorted(items, key=key)
'''
TEXTS = st.lists(
    st.sampled_from(["a\n", "b\n", "", "c c\n", "-x\n", "+y\n", "@@\n", "\\\n", "\n"]), max_size=12
).map("".join)


def test_every_operator_finds_a_place_and_leaves_code_that_compiles() -> None:
    source = EVERYTHING.encode()
    found = sites("f.py", source)
    assert {site.operator for site in found} == set(OPERATORS)
    assert len(OPERATORS) >= 12
    for site in found:
        planted = site.plant(source)
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source)), site
        assert b"1 < 2" in planted
        assert site.function == "f"


def test_hunks_are_taken_apart_and_reverted_one_by_one() -> None:
    old, new = {"m.py": OLD.encode()}, {"m.py": NEW.encode()}
    found = groups(old, new)
    assert len(found) == 2
    assert [revert(new, group)["m.py"] != NEW.encode() for group in found] == [True, True]
    assert revert(new, [hunk for group in found for hunk in group]) == old


def test_hunks_that_share_a_new_name_stay_together() -> None:
    old = {"m.py": b"def f():\n    return 1\n\n\n\ndef g():\n    return 2\n"}
    new = {
        "m.py": b"def helper():\n    return 3\n\n\ndef f():\n    return helper()\n\n\n\ndef g():\n    return 2\n"
    }
    assert len(groups(old, new)) == 1


def test_changes_of_comments_alone_are_no_bug() -> None:
    assert groups({"m.py": b"# one\nx = 1\n"}, {"m.py": b"# two\nx = 1\n"}) == []


@given(TEXTS, TEXTS)
def test_a_diff_leads_from_one_file_to_the_other(before: str, after: str) -> None:
    one, other = {"a.txt": before.encode()}, {"a.txt": after.encode()}
    diff = diff_of(one, other)
    assert ({**one, **apply_diff(one, diff)} if diff else one) == other


def test_a_diff_that_does_not_fit_is_an_error_and_in_an_answer_nothing() -> None:
    diff = "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-not there\n+new\n"
    with pytest.raises(PatchError, match=r"m\.py"):
        apply_diff({"m.py": b"x\n"}, diff)
    assert files_in_answer(f"```diff\n{diff}```\n", {"m.py": b"x\n"}, ("m.py",)) == {}


PATCH = "--- a/m.py\n+++ b/m.py\n@@ -1,3 +1,4 @@\n a = 1\n-b = 2\n+b = 3\n+c = 4\n d = 5\n"


@pytest.mark.parametrize("file_end", ["\n", "\r\n"])
@pytest.mark.parametrize("patch_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_patch_fits_whatever_ends_lines_in_it(file_end: str, patch_end: str, last: bool) -> None:
    text = file_end.join(["a = 1", "b = 2", "d = 5", ""])
    patch = PATCH.replace("\n", patch_end)
    patch = patch if last else patch.removesuffix(patch_end)
    wanted = file_end.join(["a = 1", "b = 3", "c = 4", "d = 5", ""])
    assert apply_diff({"m.py": text.encode()}, patch) == {"m.py": wanted.encode()}


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("a\nb", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n", "a\nc\n"),
        ("a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n", "a\nc"),
        ("a\nb", "@@ -1,2 +1,3 @@\n a\n b\n+c\n", "a\nb\nc\n"),
        ("a\nb", "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file", "x\nb"),
    ],
)
def test_a_last_line_without_its_end_is_one(before: str, patch: str, after: str) -> None:
    assert apply_diff({"m": before.encode()}, f"--- a/m\n+++ b/m\n{patch}") == {"m": after.encode()}


@pytest.mark.parametrize(
    "answer",
    [
        "```python m.py\ny = 2\n```",
        "The file `m.py`:\n```python\ny = 2\n```",
        "**m.py**\n\n```py\ny = 2\n```\nDone.",
        "```diff\n--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = 1\n+y = 2\n```",
        "```python\ny = 2\n```",
    ],
)
def test_answers_hand_in_files(answer: str) -> None:
    tree = {"m.py": b"x = 1\n", "README": b"r\n"}
    assert files_in_answer(answer, tree, ("m.py",)) == {"m.py": b"y = 2\n"}


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.recursive(
            st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
            lambda inner: (
                st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3)
                | st.lists(inner, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_toml_is_read_back(config: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(config)) == config


def test_a_directory_is_read_back_as_written(tmp_path: Path) -> None:
    task = TaskDirectory(
        "one",
        base_config("mx-envs/one", "A task"),
        "Do it.\n",
        {"a/b.py": b"\x00"},
        {"test.sh": b"true\n"},
        {},
    )
    place = write_directory(task, tmp_path)
    assert read_directory(place) == task
    assert (place / "tests" / "test.sh").stat().st_mode & 0o111


def test_directories_with_links_or_without_text_are_refused(tmp_path: Path) -> None:
    place = write_directory(TaskDirectory("one", base_config("mx-envs/one", "A task"), "Do it.\n"), tmp_path)
    (place / "tests").mkdir()
    (place / "tests" / "link").symlink_to("/etc/passwd")
    with pytest.raises(TaskDirectoryError, match="symbolic link"):
        read_directory(place)
    (place / "tests" / "link").unlink()
    (place / "instruction.md").unlink()
    with pytest.raises(TaskDirectoryError, match=r"instruction\.md"):
        read_directory(place)
    for name in ("../out", "", "a/b"):
        with pytest.raises(TaskDirectoryError):
            write_directory(TaskDirectory(name, {}, ""), tmp_path)


@pytest.mark.parametrize(
    ("files", "roots", "modules"),
    [
        (["pkg_x/__init__.py", "tests/test_a.py", "setup.py"], (".",), ("pkg_x",)),
        (["src/pkg_x/__init__.py", "tests/test_a.py"], ("src", "."), ("pkg_x",)),
        (["pkg_x.py", "test_pkg_x.py", "setup.py"], (".",), ("pkg_x",)),
        (["pkg_x/__init__.py", "pkg_x/tests/test_a.py", "docs/conf.py"], (".",), ("pkg_x",)),
        (["other.py", "pkg-x.egg-info/top_level.txt:other", "setup.py"], (".",), ("other",)),
    ],
)
def test_library_and_tests_are_told_apart(
    files: list[str], roots: tuple[str, ...], modules: tuple[str, ...]
) -> None:
    tree = {name: text.encode() for name, _, text in (entry.partition(":") for entry in files)}
    library = take_apart("pkg-x", "1", tree)
    assert (library.roots, library.modules) == (roots, modules)
    assert all(is_test(name, modules) for name in library.tests)
    assert not any("test_" in name for name in library.source)


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("hypothesis", ["hypothesis"]),
        ("yaml", ["pyyaml"]),
        ("xprocess", ["pytest-xprocess"]),
        ("jaraco", ["jaraco.functools", "jaraco.itertools"]),
        ("numpy", []),
    ],
)
def test_what_a_release_names_is_fetched_for_a_missing_module(module: str, packages: list[str]) -> None:
    about = b"[testenv]\ndeps =\n  Hypothesis>=6\n  PyYAML\n  pytest_xprocess\n  jaraco.itertools\n  jaraco.functools>=2\n"
    library = take_apart("pkg-x", "1", {"pkg_x.py": b"", "test_pkg_x.py": b"", "tox.ini": about})
    assert packages_for(module, library) == packages
