"""Benchmarks of whole programs that read and print: APPS, CodeContests and LiveCodeBench, in their publishers' own forms.

A test is an input and what is to be printed for it. The comparison is line by line but for spaces around, or word by word,
numbers with a point to 1e-6, as the publishers' harnesses come to. Problems that call a function (``fn_name``) are refused. Where
a record has no solution in Python that passes, nothing shows that its tests can be met, and it is refused, too.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import pickle
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mx_tasks.software.errors import SourceError
from mx_tasks.software.grading.oracle import CONFIG, FOLDER, oracle_files
from mx_tasks.software.made import MadeTask, shape_of

SOLUTION = "solution.py"
CALL_S = 6.0
MOST_SOLUTIONS = 5
"""Solutions that are tried for the one that becomes the reference."""
MOST_TESTS = 60
PYTHON_3 = 3
"""CodeContests' number of the language."""
Case = tuple[str, str]


def program_tasks(entry: Mapping[str, Any]) -> Iterator[MadeTask]:
    """The task of a record, once for each of its solutions: the first that passes is the one. Raises SourceError."""
    title, statement = _named(entry), _statement(entry)
    cases = _cases(entry)
    if not cases:
        raise SourceError(f"{title}: it has no inputs with what is to be printed")
    solutions = _solutions(entry)
    if not solutions:
        raise SourceError(
            f"{title}: it has no solution in Python, so nothing shows that its tests can be met"
        )
    for solution in solutions[:MOST_SOLUTIONS]:
        yield _task(title, statement, cases[:MOST_TESTS], solution, str(entry.get("license", "")))


def _task(title: str, statement: str, cases: Sequence[Case], solution: str, licence: str) -> MadeTask:
    word = re.sub(r"[^A-Za-z0-9]+", "_", title).strip("_")
    lines = ["from mx_oracle import function, same_output", "run = function('run')"]
    for number, (given, wanted) in enumerate(cases, 1):
        lines += [f"def test_{number}():", f"    assert same_output(run({given!r}), {wanted!r})"]
    about = {"file": SOLUTION, "module": "solution", "program": True, "entries": ["run"], "call_s": CALL_S}
    return MadeTask(
        id=word.replace("_", "-"),
        kind="programs",
        title=title,
        statement=f"# {title}\n\n{statement}\n\nWrite a program, `{SOLUTION}`, that reads standard input and prints the answer.\n",
        tree={SOLUTION: b"raise NotImplementedError\n"},
        tests={
            **oracle_files(),
            f"{FOLDER}/mx_serve.json": json.dumps(about).encode(),
            f"{FOLDER}/test_{word}.py": ("\n".join(lines) + "\n").encode(),
        },
        gold={SOLUTION: solution.encode()},
        sources=(SOLUTION,),
        fail_to_pass=(),
        pass_to_pass=(),
        config=CONFIG,
        python="",
        origin=title,
        licence=licence,
        shape=shape_of("programs", title),
        difficulty=3,
        wall_s=60.0,
        calls=12,
    )


def _named(entry: Mapping[str, Any]) -> str:
    for key in ("name", "question_title", "problem_id", "id", "question_id"):
        if entry.get(key) not in (None, ""):
            return str(entry[key])
    raise SourceError("a record without a name, problem_id or question_id")


def _statement(entry: Mapping[str, Any]) -> str:
    for key in ("question", "description", "question_content"):
        if entry.get(key):
            return str(entry[key]).strip()
    raise SourceError(f"{_named(entry)}: it has no question, description or question_content")


def _cases(entry: Mapping[str, Any]) -> list[Case]:
    """Inputs with outputs, whatever the record calls them. Raises SourceError for what is not one of the forms."""
    title = _named(entry)
    try:
        if "input_output" in entry:  # APPS
            found = _json(entry["input_output"])
            if found.get("fn_name") is not None:
                raise SourceError(
                    f"{title}: it calls a function ({found['fn_name']}); only programs are taken"
                )
            return [(_text(i), _text(o)) for i, o in zip(found["inputs"], found["outputs"], strict=True)]
        if "public_test_cases" in entry:  # LiveCodeBench
            listed = [*_json(entry["public_test_cases"]), *_packed(entry.get("private_test_cases") or "[]")]
            if any(case.get("testtype", "stdin") != "stdin" for case in listed):
                raise SourceError(f"{title}: it calls a function; only programs are taken")
            return [(str(case["input"]), str(case["output"])) for case in listed]
        return [  # CodeContests
            (str(given), str(wanted))
            for key in ("public_tests", "private_tests", "generated_tests")
            for given, wanted in zip(
                *(_json(entry.get(key) or {}).get(k, ()) for k in ("input", "output")), strict=True
            )
        ]
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        zlib.error,
        pickle.UnpicklingError,
        EOFError,
    ) as error:
        raise SourceError(f"{title}: its tests cannot be read ({type(error).__name__}: {error})") from error


def _solutions(entry: Mapping[str, Any]) -> list[str]:
    """Programs that are said to be right, in Python 3, the shortest first."""
    found = _json(entry.get("solutions") or [])
    if isinstance(found, Mapping):
        pairs = zip(found.get("language", ()), found.get("solution", ()), strict=True)
        found = [text for language, text in pairs if language == PYTHON_3]
    return sorted((str(text) for text in found if _is_python(str(text))), key=len)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


class _Texts(pickle.Unpickler):
    """Reads pickled plain values, and refuses to look up anything by its name."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it speaks of {module}.{name}")


def _packed(value: Any) -> Any:
    """LiveCodeBench's hidden tests: JSON, or JSON as a text that was pickled, compressed and written in base 64."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return _json(value)
    inner = _Texts(io.BytesIO(zlib.decompress(base64.b64decode(value)))).load()
    return _json(inner)
