"""What in a source distribution is the library, what are its tests, and how the tests find the library."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import Any

from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree

DEPS = "mx_deps"
"""Folder of the workspace that holds what library and tests need besides themselves; no source."""

ROOTS = ("src", "lib", "python", "source")
TEST_FOLDERS = frozenset({"tests", "test", "testsuite", "unit_tests", "unittests"})
LEFT_OUT = frozenset(
    {"docs", "doc", "examples", "example", "benchmarks", "benchmark", "scripts", "tools", "bin", "ci"}
)
"""Top-level folders that are neither library nor tests."""

_ABOUT = re.compile(r"(^|/)[^/]*\.(egg|dist)-info/")
_TEST_FILE = re.compile(r"(test_.*|.*_tests?|tests?|conftest)\.py")


@dataclass(frozen=True, slots=True)
class Library:
    """A library's tree, taken apart. ``roots`` are the folders to import from; ``modules`` its top-level import names.

    ``about`` is what tells of an installation (``*.egg-info``, ``*.dist-info``). It is no part of the source: a library that asks
    for its own version must be told the same one before and after a change.
    """

    name: str
    version: str
    source: Tree
    tests: Tree
    roots: tuple[str, ...]
    modules: tuple[str, ...]
    about: Tree

    @property
    def code(self) -> Tree:
        """The library's own Python files."""
        return {name: data for name, data in self.source.items() if self.owns(name)}

    def owns(self, name: str) -> bool:
        """Whether a file's name is one of the library's Python files."""
        if not name.endswith(".py"):
            return False
        relative = [name if root == "." else name.removeprefix(f"{root}/") for root in self.roots]
        return any(part.split("/")[0].removesuffix(".py") in self.modules for part in relative)

    @property
    def places(self) -> tuple[str, ...]:
        """Folders and single files of the library."""
        tops = {"/".join(name.split("/")[: self._depth(name)]) for name in self.code}
        return tuple(sorted(tops))

    def _depth(self, name: str) -> int:
        root = next((root for root in self.roots if root != "." and name.startswith(f"{root}/")), ".")
        return 1 if root == "." else 1 + len(PurePosixPath(root).parts)


def take_apart(name: str, version: str, tree: Tree) -> Library:
    """Tell library and tests apart. Raises SourceError where no library is found."""
    roots, modules = _modules(name, tree)
    if not modules:
        raise SourceError(
            f"{name} {version}: no Python package or module of it is in its source distribution"
        )
    about = {path: data for path, data in tree.items() if _ABOUT.search(path)}
    tests = {path: data for path, data in tree.items() if path not in about and is_test(path, modules)}
    source = {path: data for path, data in tree.items() if path not in tests and path not in about}
    return Library(name, version, source, tests, roots, modules, about)


def is_test(path: str, modules: Iterable[str] = ()) -> bool:
    """Whether a file belongs to the tests: below a folder of tests, or named like one."""
    *folders, name = path.split("/")
    if folders and folders[0] in TEST_FOLDERS & set(modules):
        folders = folders[1:]
    if TEST_FOLDERS & set(folders):
        return True
    if len(folders) <= 1 and path.removesuffix(".py") in modules:
        return False
    return bool(_TEST_FILE.fullmatch(name)) and name not in ("testing.py",)


def test_paths(library: Library) -> list[str]:
    """What pytest is pointed at: the highest folders and the single files of tests."""
    places: list[str] = []
    for path in sorted(library.tests):
        if not path.endswith(".py"):
            continue
        folders = path.split("/")[:-1]
        at = next((i for i, folder in enumerate(folders) if folder in TEST_FOLDERS), None)
        place = "/".join(folders[: at + 1]) if at is not None else path
        if place not in places and not place.endswith("conftest.py"):
            places.append(place)
    return [place for place in places if place.split("/")[0] not in LEFT_OUT]


def pytest_settings(library: Library) -> dict[str, str]:
    """Those of the library's own pytest settings that decide what is collected."""
    tree = {**library.source, **library.tests}
    found: dict[str, Any] = {}
    for name, section in (("pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        if name in tree:
            parser = configparser.RawConfigParser(strict=False)
            try:
                parser.read_string(tree[name].decode(errors="replace"))
            except configparser.Error:
                continue
            if parser.has_section(section):
                found = found or dict(parser.items(section))
    table = _toml(tree, "pyproject.toml").get("tool", {}).get("pytest", {})
    found = found or table.get("ini_options", {}) or {k: v for k, v in table.items() if k != "ini_options"}
    wanted = ("python_files", "python_classes", "python_functions")
    kept = {key: _joined(found[key]) for key in wanted if key in found}
    if "importmode=importlib" in _joined(found.get("addopts", "")).replace("-", "").replace(" ", "="):
        kept["importlib"] = "1"
    if "pythonpath" in found:
        kept["pythonpath"] = _joined(found["pythonpath"])
    return kept


def requirements(library: Library, *, extras: bool) -> list[str]:
    """What the release says that it needs; with ``extras`` also what it lists for tests and development."""
    needed = []
    for line in _metadata(library).get_all("Requires-Dist") or []:
        requirement, _, marker = line.partition(";")
        if extras or "extra" not in marker:
            needed.append(
                f"{requirement.strip()}; {marker.strip()}"
                if marker and "extra" not in marker
                else requirement.strip()
            )
    return needed


def declared_words(library: Library) -> set[str]:
    """Every word that could name a requirement in the release's own files about building and testing.

    In the index's spelling, and in lower case as it stands: a point tells a package of a namespace.
    """
    words: set[str] = set()
    for name, data in {**library.source, **library.tests, **library.about}.items():
        base = name.rpartition("/")[2].lower()
        fitting = base in (
            "pkg-info",
            "setup.py",
            "setup.cfg",
            "pyproject.toml",
            "tox.ini",
            "noxfile.py",
            "pipfile",
        )
        if fitting or ("requirements" in name.lower() and base.endswith((".txt", ".in"))):
            found = re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", data.decode(errors="replace"))
            words |= {form for word in found for form in (_flat(word), word.lower())}
    return words


def metadata_files(library: Library) -> Tree:
    """A ``.dist-info`` folder as an installation would leave, for libraries that ask for their own version."""
    stem = f"{re.sub(r'[-_.]+', '_', library.name)}-{library.version}.dist-info"
    text = (
        _stated(library)
        or f"Metadata-Version: 2.1\nName: {library.name}\nVersion: {library.version}\n".encode()
    )
    files = {f"{DEPS}/{stem}/METADATA": text}
    for name, data in library.about.items():
        if name.endswith("/entry_points.txt"):
            files[f"{DEPS}/{stem}/entry_points.txt"] = data
    return files


def _stated(library: Library) -> bytes:
    """The release's own metadata, empty where it has none."""
    told = [data for name, data in library.about.items() if name.endswith(("/METADATA", "/PKG-INFO"))]
    return library.source.get("PKG-INFO") or next(iter(told), b"")


def _metadata(library: Library) -> Any:
    return HeaderParser().parsestr(_stated(library).decode(errors="replace"))


def licence(library: Library) -> str:
    """The licence that the release names."""
    head = _metadata(library)
    classified = [
        line.rpartition(" :: ")[2]
        for line in head.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    stated = str(head.get("License-Expression") or head.get("License") or "").strip().partition("\n")[0][:60]
    return stated if stated and stated != "UNKNOWN" else ", ".join(classified) or "see the release"


def _modules(name: str, tree: Mapping[str, bytes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Folders to import from, and the library's top-level names."""
    listed = [
        word
        for path, data in tree.items()
        if path.endswith("top_level.txt")
        for word in data.decode(errors="replace").split()
    ]
    flat = _flat(name)
    for root in (*_told_roots(tree), *ROOTS, "."):
        here = _importable(tree, root)
        chosen = [word for word in here if word in listed and word not in TEST_FOLDERS]
        chosen = chosen or [
            word for word in here if _flat(word) == flat or _flat(word) == flat.removeprefix("python-")
        ]
        chosen = chosen or [
            word
            for word in here
            if _flat(word) in (flat.removesuffix("-py"), f"py{flat}", flat.removeprefix("py"))
        ]
        if not chosen and root != ".":
            chosen = [word for word in here if not is_test(f"{word}/x.py") and word not in LEFT_OUT]
        if chosen:
            return ((root,) if root == "." else (root, ".")), tuple(sorted(set(chosen)))
    here = [
        word
        for word in _importable(tree, ".")
        if word not in TEST_FOLDERS | LEFT_OUT | {"setup", "conftest", "noxfile", "tasks"}
    ]
    return (".",), tuple(sorted({word for word in here if not _TEST_FILE.fullmatch(word + ".py")}))


def _told_roots(tree: Mapping[str, bytes]) -> list[str]:
    text = "\n".join(
        tree.get(name, b"").decode(errors="replace") for name in ("setup.cfg", "pyproject.toml", "setup.py")
    )
    told = re.findall(
        r"(?:where|package[-_]dir|from)\s*=\s*[\[{\n\s]*(?:[\"']{2}\s*[:=]|=)?\s*[\"']?([A-Za-z_][\w/]*)",
        text,
    )
    return [root.strip("/") for root in told if any(path.startswith(f"{root.strip('/')}/") for path in tree)]


def _importable(tree: Mapping[str, bytes], root: str) -> list[str]:
    prefix = "" if root == "." else f"{root}/"
    found = []
    for path in tree:
        inner = path.removeprefix(prefix) if path.startswith(prefix) else None
        if inner is None or not inner.endswith(".py"):
            continue
        parts = inner.split("/")
        if len(parts) == 1 and parts[0].removesuffix(".py").isidentifier():
            found.append(parts[0].removesuffix(".py"))
        elif len(parts) == 2 and parts[1] == "__init__.py" and parts[0].isidentifier():
            found.append(parts[0])
    return found


def _toml(tree: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(tree.get(name, b"").decode(errors="replace"))
    except tomllib.TOMLDecodeError:
        return {}


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value).replace("\n", " ").strip()


def _flat(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def same_code(one: bytes, other: bytes) -> bool:
    """Whether two sources are the same program, comments, layout and docstrings aside."""
    try:
        return _bare(one) == _bare(other)
    except (SyntaxError, ValueError):
        return one == other


def _bare(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                item
                for item in body
                if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
            ]
    return ast.dump(tree)
