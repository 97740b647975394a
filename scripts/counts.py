"""Counts that a reader of the code feels, held against ceilings: `make counts` prints them and fails above one.

    python scripts/counts.py            the table
    python scripts/counts.py --places   also the places that share six lines, the longest files and functions

Lengths, complexity and typing are those of the packages (tests, benchmarks and task data left out). Two places share six lines
where six lines with code on them, one behind the other, are the same to the letter, or the same but for names and values;
imports, docstrings and signatures that a protocol prescribes are no logic and do not count.
"""

from __future__ import annotations

import ast
import io
import keyword
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = {"mx_envs": "mx_envs", "mx_agents": "agents", "mx_tasks": "tasks", "mx_sandboxes": "sandboxes"}
TABLES = (
    "tasks/mx_tasks/hardware/generate/",
    "tasks/mx_tasks/hardware/cheats/",
    "sandboxes/mx_sandboxes/abuse/",
)
"""Data, and alike on purpose: families of circuits (templates of Verilog, a model beside each), attacks with their controls."""
ONE_FILE = "mx_envs/inside/mas.py"
"""What a design imports is one file: each further one is read and compiled anew for every episode."""
SHARED_LINES, DIFFERENT, TEXT = 6, 4, 100
"""Lines that make two places alike; so many of them differ, and so many characters are on them: rows of a table are data."""
CEILINGS = {
    "file lines, longest": 500,
    "function lines, longest": 60,
    "complexity, highest": 10,
    "functions without full types": 0,
    "files in circles of imports": 0,
    "places that share six lines": 40,
    "places that share six lines to the letter": 0,
}


@dataclass(frozen=True)
class Function:
    """A function as counted."""

    place: str
    lines: int
    complexity: int
    typed: bool


def sources() -> list[Path]:
    """The Python files that are counted."""
    found = []
    for package, folder in PACKAGES.items():
        home = ROOT / folder / package if folder != package else ROOT / package
        found += [path for path in sorted(home.rglob("*.py")) if "data" not in path.parts]
    return found


def functions(path: Path, tree: ast.Module) -> Iterator[Function]:
    """All functions of a file, inner ones too."""
    inside = "inside" in path.parts or "workspace" in path.parts  # runs on an old standard library
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            place = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            yield Function(
                place, (node.end_lineno or 0) - node.lineno + 1, complexity(node), inside or typed(node)
            )


def complexity(function: ast.AST) -> int:
    """McCabe's number, without that of inner functions."""
    branches = (
        ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case
    )  # fmt: skip
    found, left = 1, list(ast.iter_child_nodes(function))
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        found += isinstance(node, branches) and not isinstance(node, ast.IfExp | ast.comprehension)
        left += ast.iter_child_nodes(node)
    return found


def typed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether each argument but self, and the result, has a type."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    rest = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return function.returns is not None and all(
        each.annotation is not None or each.arg in ("self", "cls") for each in [*named, *rest]
    )


def no_logic(tree: ast.Module) -> set[int]:
    """The lines of imports, docstrings and signatures."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            lines.update(range(node.lineno, (node.end_lineno or 0) + 1))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines.update(range(node.lineno, node.body[0].lineno))
    return lines


def logic(path: Path, tree: ast.Module) -> list[tuple[int, str, str]]:
    """The lines with logic on them: number, text, and shape (names and values left out)."""
    text = path.read_text("utf-8")
    shapes: dict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP):
            word = token.string if token.type == tokenize.OP or keyword.iskeyword(token.string) else "_"
            shapes[token.start[0]].append(word)
    skipped = no_logic(tree)
    return [
        (number, line.strip(), " ".join(shapes[number]))
        for number, line in enumerate(text.splitlines(), 1)
        if number not in skipped and "_" in shapes.get(number, [])
    ]


def shared(files: dict[Path, list[tuple[int, str, str]]], column: int) -> list[tuple[str, str]]:
    """Pairs of places with six lines alike, the overlapping ones of a pair of files taken as one."""
    seen: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, lines in files.items():
        for start in range(len(lines) - SHARED_LINES + 1):
            window = lines[start : start + SHARED_LINES]
            if (
                len({line[column] for line in window}) >= DIFFERENT
                and sum(len(line[1]) for line in window) >= TEXT
            ):
                seen[tuple(line[column] for line in window)].append((path, start))
    pairs: dict[tuple[Path, Path, int], int] = {}
    for places in seen.values():
        for one, (path, start) in enumerate(places):
            for other, begin in places[one + 1 :]:
                if path != other or begin - start >= SHARED_LINES:
                    pairs.setdefault((path, other, begin - start), start)
    return [
        (_place(path, files[path][start][0]), _place(other, files[other][start + shift][0]))
        for (path, other, shift), start in sorted(pairs.items(), key=str)
    ]


def _place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def circles() -> list[str]:
    """The modules that reach themselves by imports."""
    for folder in ("agents", "tasks", "sandboxes", "."):
        sys.path.insert(0, str(ROOT / folder))
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    for path, other in beside():
        graph.add_import(importer=path, imported=other)
    return [
        module
        for module in sorted(graph.modules)
        if any(
            module == each or module in graph.find_upstream_modules(each)
            for each in graph.find_modules_directly_imported_by(module)
        )
    ]


def beside() -> Iterator[tuple[str, str]]:
    """Imports of files that lie side by side in a sandbox, which name each other without a package: (importer, imported)."""
    for path in sources():
        if "inside" in path.parts:
            home = next(each for each in path.parents if each.name == "inside")
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                for found in (home.joinpath(*name.split(".")).with_suffix(".py") for name in names if name):
                    if found.is_file():
                        yield _module(path), _module(found)


def _module(path: Path) -> str:
    """``sandboxes/mx_sandboxes/slots/pool.py`` as it is imported."""
    words = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(words[next(at for at, word in enumerate(words) if word in PACKAGES) :])


def main() -> int:
    """Print the counts; 1 where one is above its ceiling."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sources()}
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in trees}
    found = [function for path, tree in trees.items() for function in functions(path, tree)]
    plain = [function for function in found if not function.place.startswith(TABLES)]
    lines = {
        path: logic(path, tree)
        for path, tree in trees.items()
        if not str(path.relative_to(ROOT)).startswith(TABLES)
    }
    letter, shape, rings = shared(lines, 1), shared(lines, 2), circles()
    counts = {
        "file lines, longest": max(count for path, count in lengths.items() if path != ROOT / ONE_FILE),
        "function lines, longest": max(function.lines for function in plain),
        "complexity, highest": max(function.complexity for function in found),
        "functions without full types": sum(not function.typed for function in found),
        "files in circles of imports": len(rings),
        "places that share six lines": len({*shape, *letter}),
        "places that share six lines to the letter": len(letter),
    }
    print(f"{len(trees)} files, {sum(lengths.values())} lines, {len(found)} functions")
    print(
        f"file lines: median {median(lengths.values()):.0f}, 95 % up to {quantiles(lengths.values(), n=20)[-1]:.0f}"
    )
    print(f"function lines: median {median(function.lines for function in found):.0f}")
    for name, count in counts.items():
        print(
            f"{'ABOVE ' if count > CEILINGS[name] else '      '}{name:45}{count:5}  of at most {CEILINGS[name]}"
        )
    if "--places" in sys.argv:
        print(*(f"circle: {ring}" for ring in rings), sep="\n")
        print(*(f"to the letter: {one} ~ {other}" for one, other in letter), sep="\n")
        print(*(f"shape: {one} ~ {other}" for one, other in shape), sep="\n")
        for path in sorted(lengths, key=lengths.__getitem__)[-8:]:
            print(f"{lengths[path]} lines: {path.relative_to(ROOT)}")
        for function in sorted(plain, key=lambda each: each.lines)[-12:]:
            print(f"{function.lines} lines: {function.place}")
        print(*(f"no types: {f.place}" for f in found if not f.typed), sep="\n")
        print(*(f"complexity {f.complexity}: {f.place}" for f in found if f.complexity > 10), sep="\n")
    return int(any(count > CEILINGS[name] for name, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
