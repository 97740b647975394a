"""Benchmarks of single functions: HumanEval, MBPP and QuixBugs in their publishers' own forms.

The hidden tests run where no submitted code is, on answers that were given before (:mod:`mx_tasks.software.grading.calls`). What
the publisher's harness puts before an answer (HumanEval: the prompt) or after it (MBPP: the tests' own imports) is there for a
submission as well, and nothing else is: no helper and no import of the reference.

Comparisons are the harness's own, because the tests are: HumanEval's ``check`` and MBPP's assertions as they stand, QuixBugs' own
test files. Differences that are left: HumanEval/33 compares the answer with itself where it is published, here with the reference;
an argument that a function changes in place is not changed for the test; objects of a class of the answer's own equal nothing.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mx_tasks.software.errors import SourceError
from mx_tasks.software.grading.oracle import CALL_S, CONFIG, FOLDER, oracle_files
from mx_tasks.software.made import MadeTask, shape_of

SOLUTION = "solution.py"
QUIXBUGS_OBJECTS = "node.py"
_NODE = '''class Node:
    """A node of a list or a graph."""

    def __init__(self, value=None, successor=None, successors=(), predecessors=(), incoming_nodes=(), outgoing_nodes=()):
        self.value = value
        self.successor = successor
        self.successors = list(successors)
        self.predecessors = list(predecessors)
        self.incoming_nodes = list(incoming_nodes)
        self.outgoing_nodes = list(outgoing_nodes)
'''


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a ``.jsonl``, ``.jsonl.gz`` or ``.json`` file. Raises SourceError, which names the line."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    if text.lstrip().startswith("["):
        entries = _json(text, f"{path}")
        if not all(isinstance(entry, dict) for entry in entries):
            raise SourceError(f"{path}: not a list of objects")
        yield from entries
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            entry = _json(line, f"{path}, line {number}")
            if not isinstance(entry, dict):
                raise SourceError(f"{path}, line {number}: not an object")
            yield entry


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SourceError(f"{where}: no JSON ({error})") from error


def human_eval(entry: Mapping[str, Any]) -> MadeTask:
    """A problem of HumanEval: ``task_id``, ``prompt``, ``entry_point``, ``canonical_solution``, ``test``. Raises SourceError."""
    task_id, prompt, name, solution, test = _fields(
        entry, "task_id", "prompt", "entry_point", "canonical_solution", "test"
    )
    gold = prompt + solution
    tree = _parse(test, task_id)
    check = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "check"), None)
    if check is None:
        raise SourceError(f"{task_id}: its test has no function check(candidate)")
    argument = check.args.args[0].arg if check.args.args else "candidate"
    body = [n for n in check.body if not _docstring(n)]
    lines = [ast.unparse(n) for n in tree.body if n is not check and not _calls_check(n)]
    if argument != name and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(check)):
        # HumanEval/33 expects what the function gives, by its own name: the reference is asked, never the answer
        lines.insert(0, gold)
    lines += [f"def test_{_word(name)}():", f"    {argument} = function({name!r})"]
    lines += ["    " + line for node in body for line in ast.unparse(node).splitlines()]
    return _function_task(
        task_id,
        kind="humaneval",
        prompt=f"Complete the function `{name}` in `{SOLUTION}`.",
        given=prompt.rstrip() + "\n    raise NotImplementedError\n",
        gold=gold,
        entry={name},
        tests="\n".join(lines),
        before=_before(prompt, name),
        licence=str(entry.get("license", "MIT")),
    )


def mbpp(entry: Mapping[str, Any]) -> MadeTask:
    """A problem of MBPP: ``task_id``, ``text`` or ``prompt``, ``code``, ``test_list``. Raises SourceError."""
    task_id, code = (str(value) for value in _fields(entry, "task_id", "code"))
    task_id = f"mbpp/{task_id}" if task_id.isdecimal() else task_id
    text = str(entry.get("text") or entry.get("prompt") or "")
    listed = [*entry.get("test_list", ()), *entry.get("challenge_test_list", ())]
    setup = "\n".join([str(entry.get("test_setup_code", "")), *map(str, entry.get("test_imports", ()))])
    if not text or not listed:
        raise SourceError(f"{task_id}: it has no text or no test_list")
    names = {node.name for node in _parse(code, task_id).body if isinstance(node, ast.FunctionDef)}
    called = {
        n.func.id
        for t in listed
        for n in ast.walk(_parse(t, task_id))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    entries = names & called
    if not entries:
        raise SourceError(f"{task_id}: its tests call no function that its code defines")
    name = sorted(entries)[0]
    lines = [setup, *(f"{word} = function({word!r})" for word in sorted(entries))]
    for number, test in enumerate(listed, 1):
        lines += [
            f"def test_{number}():",
            *("    " + line for line in ast.unparse(_parse(test, task_id)).splitlines()),
        ]
    signature = next(
        n for n in _parse(code, task_id).body if isinstance(n, ast.FunctionDef) and n.name == name
    )
    return _function_task(
        task_id,
        kind="mbpp",
        prompt=f"{text.strip()}\n\nThe function is `{name}` in `{SOLUTION}`. It must pass `{str(listed[0]).strip()}`.",
        given=f"def {name}({ast.unparse(signature.args)}):\n    raise NotImplementedError\n",
        gold=code + "\n",
        entry=entries,
        tests="\n".join(lines),
        after=setup.strip(),
        licence=str(entry.get("license", "CC-BY-4.0")),
    )


def quix_bugs(source: Path) -> Iterator[Callable[[], MadeTask]]:
    """The programs of QuixBugs: its repository, or a file of ``name``, ``buggy_code``, ``fixed_code``, ``test_files``."""
    if source.is_file():
        for entry in records(source):
            yield lambda entry=entry: quix_bug(entry)  # type: ignore[misc]
        return
    programs = source / "python_programs"
    if not programs.is_dir():
        raise SourceError(
            f"{source} has no folder python_programs; give QuixBugs' repository or a .jsonl file"
        )
    for path in sorted(programs.glob("*.py")):
        fixed = source / "correct_python_programs" / path.name
        if fixed.is_file() and path.stem not in ("node", "__init__") and not path.stem.endswith("_test"):
            yield lambda path=path, fixed=fixed: quix_bug(_program(source, path, fixed))  # type: ignore[misc]


def _program(source: Path, path: Path, fixed: Path) -> dict[str, Any]:
    """A program of the repository as one record."""
    tests = [
        source / "python_testcases" / f"test_{path.stem}.py",
        source / "python_testcases" / "node.py",
        source / "json_testcases" / f"{path.stem}.json",
    ]
    support = [place for place in (path.parent / "node.py", fixed.parent / "node.py") if place.is_file()]
    return {
        "name": path.stem,
        "buggy_code": path.read_text(),
        "fixed_code": fixed.read_text(),
        "test_files": {
            place.relative_to(source).as_posix(): place.read_text() for place in tests if place.is_file()
        },
        "support_files": {place.relative_to(source).as_posix(): place.read_text() for place in support},
    }


def quix_bug(entry: Mapping[str, Any]) -> MadeTask:
    """A program of QuixBugs. Raises SourceError."""
    name, buggy, fixed = (str(value) for value in _fields(entry, "name", "buggy_code", "fixed_code"))
    files: Mapping[str, str] = entry.get("test_files") or {}
    own = files.get(f"python_testcases/test_{name}.py")
    cases = files.get(f"json_testcases/{name}.json")
    node = next(
        (
            text
            for place, text in {**files, **(entry.get("support_files") or {})}.items()
            if place.endswith(QUIXBUGS_OBJECTS)
        ),
        None,
    )
    base: dict[str, Any] = {
        "kind": "quixbugs",
        "prompt": f"The program `{name}` in `{name}.py` has a bug, on one line. Mend it.",
        "given": buggy,
        "gold": fixed,
        "entry": {name},
        "licence": str(entry.get("license", "MIT")),
        "file": f"{name}.py",
    }
    if own is None and cases is None:
        raise SourceError(
            f"quixbugs/{name}: neither json_testcases/{name}.json nor python_testcases/test_{name}.py is there"
        )
    if own is None:
        return _function_task(f"quixbugs/{name}", tests=_json_cases(name, cases or ""), **base)
    text = _own_tests(name, own, files)
    if not re.search(r"^(?:from|import) node\b", text, flags=re.MULTILINE):
        return _function_task(f"quixbugs/{name}", tests=text, **base)
    task = _function_task(f"quixbugs/{name}", tests=text, support=("node",), **base)
    # a set of records may leave out what the repository has in a file of its own
    return _with_file(task, QUIXBUGS_OBJECTS, node or _NODE)


def _own_tests(name: str, text: str, files: Mapping[str, str]) -> str:
    """QuixBugs' own test file, whose program is called from outside, with its cases in it."""
    text = re.sub(
        r"^if pytest\.use_correct:\n(?:[ \t].*\n)+else:\n[ \t]+from python_programs\.",
        "from python_programs.",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(
        r"^from (?:correct_)?python_programs\.node import", "from node import", text, flags=re.MULTILINE
    )
    text = re.sub(
        r"^from (?:correct_)?python_programs(?:\.\w+)? import (\w+)$",
        r"\1 = function('\1')",
        text,
        flags=re.MULTILINE,
    )
    text = text.replace("pytest.run_slow", "False")
    text = re.sub(  # ids that are the same whoever runs the tests
        r"^(@pytest\.mark\.parametrize\(\s*[\"'][\w, ]+[\"'], (\w+))\)$",
        r"\1, ids=[str(n) for n in range(len(\2))])",
        text,
        flags=re.MULTILINE,
    )
    cases = files.get(f"json_testcases/{name}.json", "")
    rows = [
        _json(line, f"quixbugs/{name}, case {number}")
        for number, line in enumerate(filter(str.strip, cases.splitlines()), 1)
    ]
    loader = f"def load_json_testcases(_):\n    return {rows!r}\n"
    return re.sub(
        r"^from load_testdata import load_json_testcases$", lambda _: loader, text, flags=re.MULTILINE
    )


def _with_file(task: MadeTask, name: str, text: str) -> MadeTask:
    return replace(task, tree={**task.tree, name: text.encode()})


def _json_cases(name: str, cases: str) -> str:
    """A test for each line ``[input, output]`` of a file of cases."""
    lines = [f"{name} = function({name!r})"]
    for number, line in enumerate(filter(str.strip, cases.splitlines()), 1):
        given, wanted = _json(line, f"quixbugs/{name}, case {number}")
        given = given if isinstance(given, list) else [given]
        within = f", within={given[-1]!r}" if name == "sqrt" else ""
        lines += [
            f"def test_case_{number}():",
            f"    got = {name}(*{given!r})",
            f"    assert alike(got, {wanted!r}{within})",
        ]
    return "\n".join(lines)


def _function_task(
    task_id: str,
    *,
    kind: str,
    prompt: str,
    given: str,
    gold: str,
    entry: set[str],
    tests: str,
    licence: str,
    file: str = SOLUTION,
    before: str = "",
    after: str = "",
    support: tuple[str, ...] = (),
) -> MadeTask:
    """A task of one file; its fail-to-pass tests are found when it is validated."""
    module = file.removesuffix(".py")
    helpers = _without(gold, entry) if kind != "quixbugs" else ""  # for the tests, which may speak of them
    about = {
        "file": file,
        "module": module,
        "before": before,
        "after": after,
        "entries": sorted(entry),
        "support": list(support),
        "call_s": CALL_S,
    }
    test_file = f"{FOLDER}/test_{_word(task_id)}.py"
    hidden = {
        **oracle_files(),
        f"{FOLDER}/mx_serve.json": json.dumps(about).encode(),
        test_file: f"from mx_oracle import alike, function\n{helpers}\n{tests}\n".encode(),
    }
    return MadeTask(
        id=_word(task_id, "-"),
        kind=kind,
        title=task_id,
        statement=f"# {task_id}\n\n{prompt}\n",
        tree={file: given.encode()},
        tests=hidden,
        gold={file: gold.encode()},
        sources=(file,),
        fail_to_pass=(),
        pass_to_pass=(),
        config=CONFIG,
        python="",
        origin=task_id,
        licence=licence,
        shape=shape_of(kind, task_id),
        difficulty=2,
        wall_s=30.0,
        calls=12,
        arguments=("--assert=plain",),
    )


def _before(prompt: str, name: str) -> str:
    """What a prompt has before the function that is asked for: its imports and helpers."""
    begins = [
        match.start()
        for match in re.finditer(rf"^(?:async\s+)?def\s+{re.escape(name)}\b", prompt, re.MULTILINE)
    ]
    return prompt[: begins[-1]] if begins else ""


def _without(code: str, entry: set[str]) -> str:
    """A program's code but for the functions asked for: imports and helpers."""
    kept = [n for n in _parse(code, "code").body if not (isinstance(n, ast.FunctionDef) and n.name in entry)]
    return "\n".join(
        ast.unparse(n)
        for n in kept
        if isinstance(n, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.ClassDef | ast.Assign)
    )


def _fields(entry: Mapping[str, Any], *names: str) -> list[str]:
    missing = [name for name in names if name not in entry]
    if missing:
        raise SourceError(
            f"{entry.get('task_id') or entry.get('name') or 'a record'}: it has no {', '.join(missing)}"
        )
    return [str(entry[name]) for name in names]


def _parse(code: str, task_id: str) -> ast.Module:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise SourceError(f"{task_id}: its code does not parse ({error})") from error


def _docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _calls_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def _word(text: str, joint: str = "_") -> str:
    return re.sub(r"[^A-Za-z0-9]+", joint, text).strip(joint)
