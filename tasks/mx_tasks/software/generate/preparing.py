"""Get a library's tests to run: what they miss is fetched where the release names it, and said where it does not."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mx_sandboxes import Limits, Sandbox
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.releases import fetch_release, fetch_wheels, latest_version
from mx_tasks.software.generate.suites import Run, Suite, run_suite, suite_of
from mx_tasks.software.generate.trees import (
    DEPS,
    Library,
    declared_words,
    metadata_files,
    requirements,
    take_apart,
)

ROUNDS = 5
LARGEST_COPY = 8 << 20
LARGEST_NAMESPACE = 8
"""So many packages of a namespace are tried at most."""
PACKAGES = {
    "yaml": "pyyaml",
    "dateutil": "python-dateutil",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv",
    "OpenSSL": "pyopenssl",
    "pkg_resources": "setuptools",
    "markdown_it": "markdown-it-py",
    "google": "protobuf",
    "typing_extensions": "typing-extensions",
}
"""Package names of modules whose own name differs."""

Report = Callable[[str], None]
"""Takes one line about what is going on."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A suite that runs on a library's tree, the Python version that it was run with, and what it does there."""

    library: Library
    suite: Suite
    python: str
    run: Run


def python_version(sandbox: Sandbox) -> str:
    """The sandbox's Python, such as ``3.13``."""
    done = sandbox.run(["python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return done.stdout.decode().strip()


def prepare(library: Library, sandbox: Sandbox, cache: Path, report: Report) -> Prepared:
    """Run the library's tests on it, fetching pure-Python wheels of what the release says that they need.

    Raises SourceError: no tests, none that pass, a module missing that the release does not name, the fix leaking, a hang.
    """
    python = python_version(sandbox)
    refuse_loaded(library, sandbox)
    suite = suite_of(library, metadata_files(library))
    needed = requirements(library, extras=False)
    if needed:
        report(f"fetching what {library.name} needs: {', '.join(needed)}")
        suite = replace(suite, deps=suite.deps | _fetched(needed, python, cache, library.name))
    asked: set[str] = set()
    run = run_suite(sandbox, library.source, suite)
    for _ in range(ROUNDS):
        missing = [name for name in run.missing if name not in asked and name not in library.modules]
        named = [package for name in missing for package in packages_for(name, library)]
        asked |= set(missing)
        if not named:
            break
        report(f"fetching what its tests need: {', '.join(named)}")
        suite = replace(suite, deps=suite.deps | _fetched_one_by_one(named, python, cache, report))
        run = run_suite(sandbox, library.source, suite)
    check_runs(library, run)
    return Prepared(library, suite, python, run)


def check_runs(library: Library, run: Run) -> None:
    """Raise SourceError when no test passes, with the most likely reason."""
    if run.passed:
        return
    title = f"{library.name} {library.version}"
    if run.missing:
        raise SourceError(
            f"{title}: its tests need {', '.join(run.missing)}, which cannot be fetched as pure-Python wheels that it names"
        )
    if run.needs_network:
        raise SourceError(f"{title}: its tests need the network")
    if not run.outcomes and not run.errors:
        raise SourceError(f"{title}: pytest finds no tests in its source distribution")
    said = next(iter([*run.messages.values(), *(text for _, text in run.errors)]), "").strip().splitlines()
    raise SourceError(f"{title}: none of its tests passes here: {said[-1][:160] if said else 'no message'}")


def refuse_loaded(library: Library, sandbox: Sandbox) -> None:
    """Raise SourceError when pytest itself uses the library: its tests would see the sandbox's own copy."""
    done = sandbox.run(["python", "-c", _LOADED, *library.modules])
    found = done.stdout.decode(errors="replace").split()
    if found:
        raise SourceError(
            f"{library.name} is what the sandbox's pytest is made of ({', '.join(found)}): its tests would judge that copy"
        )


_LOADED = """
import sys
names = sys.argv[1:]
import _pytest.config
_pytest.config.get_config().pluginmanager
import pytest
print(*(name for name in names if name in sys.modules and name not in sys.builtin_module_names))
"""


def shared_copies(library: Library, sandbox: Sandbox) -> Tree:
    """What the sandbox has of the library itself, by file name without folders: fixes could be read there."""
    done = sandbox.run(
        ["python", "-c", _FIND, *library.modules],
        limits=Limits(wall_s=60, cpu_s=60, output_bytes=LARGEST_COPY),
    )
    try:
        found: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        raise SourceError(
            f"{library.name}: the sandbox holds a copy of it that is too large to look through"
        ) from None
    return {name: text.encode() for name, text in found.items()}


_FIND = """
import json, os, sys
names = sys.argv[1:]
found = {}
def take(path):
    with open(path, errors="replace") as stream:
        name = os.path.basename(path)
        found[name] = found.get(name, "") + stream.read() + "\\n"
for place in sorted({place for place in sys.path if place.startswith("/usr")} | {"/usr/lib/python3/dist-packages"}):
    for folder in (place, place + "/pip/_vendor", place + "/setuptools/_vendor", place + "/pkg_resources/_vendor"):
        for name in names:
            path = folder + "/" + name
            if os.path.isfile(path + ".py"):
                take(path + ".py")
            for here, _, files in os.walk(path):
                for file in files:
                    if file.endswith(".py"):
                        take(os.path.join(here, file))
print(json.dumps(found))
"""


def leaks(copies: Tree, file: str, lines: Iterable[str]) -> bool:
    """Whether a copy of that file has all of those lines of a fix, blank ones aside."""
    copy = copies.get(file.rpartition("/")[2], b"").decode(errors="replace")
    known = {line.strip() for line in copy.splitlines()}
    wanted = [line.strip() for line in lines if line.strip()]
    return bool(known) and bool(wanted) and all(line in known for line in wanted)


def packages_for(module: str, library: Library) -> list[str]:
    """What the release names that may bring a module: its package, a plugin of pytest, or the parts of a namespace."""
    words = declared_words(library)
    name = PACKAGES.get(module, module).replace("_", "-").lower()
    whole = [package for package in (name, f"pytest-{name}") if package in words]
    parts = sorted(word for word in words if re.fullmatch(rf"{re.escape(name)}\.[a-z0-9_]+", word))
    return whole[:1] + parts[:LARGEST_NAMESPACE]


def _fetched(needed: list[str], python: str, cache: Path, asker: str) -> Tree:
    """Pure-Python wheels of what is needed, and the Python files of a source release where there is no such wheel.

    Many a package with compiled parts does without them. Raises SourceError, naming what cannot be had.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tree: Tree = {}
    waiting = list(needed)
    while waiting:
        try:
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                wheels = fetch_wheels(waiting, python, Path(folder))
            return tree | {f"{DEPS}/{name}": data for name, data in wheels.items()}
        except SourceError as error:
            found = _UNMATCHED.search(str(error))
            if found is None:
                raise
            impure = found[1]
            asked = [line for line in waiting if _NAMED.match(line)[0].lower() == impure.lower()]  # type: ignore[index]
            if not asked:
                raise SourceError(f"{asker} needs {impure}, which has no pure-Python release") from error
            waiting = [line for line in waiting if line not in asked]
            tree |= _from_source(asked[0], cache, asker)
    return tree


_UNMATCHED = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")
_NAMED = re.compile(r"[A-Za-z0-9._-]*")


def _from_source(requirement: str, cache: Path, asker: str) -> Tree:
    """The Python files of a package's source release: of the version that is asked for exactly, else of the latest."""
    name = _NAMED.match(requirement)[0]  # type: ignore[index]
    pinned = re.search(r"==\s*([0-9][^\s;,*]*)", requirement)
    try:
        release = fetch_release(name, pinned[1] if pinned else latest_version(name), cache)
        library = take_apart(name, release.version, release.tree)
    except SourceError as error:
        raise SourceError(f"{asker} needs {name}, which has no pure-Python release ({error})") from error
    root = "" if library.roots[0] == "." else f"{library.roots[0]}/"
    code = {f"{DEPS}/{path.removeprefix(root)}": data for path, data in library.code.items()}
    return code | metadata_files(library)


def _fetched_one_by_one(names: list[str], python: str, cache: Path, report: Report) -> Tree:
    """Wheels of those that have pure ones; tests that need the others stay out of the task."""
    found: Tree = {}
    for name in names:
        try:
            found |= _fetched([name], python, cache, name)
        except SourceError as error:
            report(f"left out: {error}")
    return found
