"""The records of APPS, CodeContests and LiveCodeBench, as their publishers have them, in one form."""

from __future__ import annotations

import ast
import base64
import io
import json
import pickle
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mx_tasks.software.errors import SourceError

PYTHON_3 = (3, "3", "PYTHON3")
"""CodeContests' numbers and names of the language."""
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, zlib.error, pickle.UnpicklingError, EOFError)
_MANY_ANSWERS = re.compile(
    r"\b(?:print|output|return|find|give|report)\s+(?:any|either)\b|\banswers?\s+in\s+any\s+order\b"
    r"|\bany\s+(?:of\s+the\s+)?(?:valid|correct|suitable|possible|acceptable)\s+(?:answer|solution|output)s?\b"
    r"|\b(?:multiple|several|many|more\s+than\s+one)\s+(?:\w+\s+){0,2}(?:answers?|solutions?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: inputs with what is wanted for each, the first ``public`` of them in its statement.

    Of a program an input is a text, and so is what is wanted; of ``function`` a list of arguments and a value. ``starter`` is the
    code that is to be completed. ``many`` says that the statement takes more than one answer.
    """

    title: str
    statement: str
    cases: Sequence[tuple[Any, Any]]
    public: int
    function: str
    starter: str
    solutions: Sequence[str]
    licence: str

    @property
    def many(self) -> bool:
        """Whether the statement says that one of several answers will do."""
        return _MANY_ANSWERS.search(self.statement) is not None


def problem(kind: str, entry: Mapping[str, Any]) -> Problem:
    """A record of the benchmark ``apps``, ``code-contests`` or ``livecodebench``. Raises SourceError, which names it."""
    title = _named(entry)
    read = {"apps": _apps, "code-contests": _contest, "livecodebench": _live}[kind]
    try:
        cases, public, function = read(entry)
        solutions = _solutions(entry)
    except SourceError as error:
        raise SourceError(f"{title}: {error}") from error
    except _BROKEN as error:
        raise SourceError(f"{title}: its tests cannot be read ({type(error).__name__}: {error})") from error
    if not cases:
        raise SourceError(f"{title}: it has no inputs with what is wanted for them")
    return Problem(
        title,
        _statement(entry, title),
        cases,
        public,
        function,
        str(entry.get("starter_code") or ""),
        solutions,
        str(entry.get("license", "")),
    )


Read = tuple[list[tuple[Any, Any]], int, str]


def _apps(entry: Mapping[str, Any]) -> Read:
    """``input_output``: JSON of ``inputs``, ``outputs`` and, where a function is called, ``fn_name``."""
    if "input_output" not in entry:
        raise SourceError("it has no input_output, as APPS' records have")
    if entry["input_output"] in ("", None):
        raise SourceError("it has no tests: its input_output is empty")
    found = _json(entry["input_output"])
    pairs = list(zip(found["inputs"], found["outputs"], strict=True))
    name = found.get("fn_name")
    if name is None:
        return [(_text(given), _text(wanted)) for given, wanted in pairs], 0, ""
    return [(_numbered(given), _numbered_output(wanted)) for given, wanted in pairs], 0, _function(name)


def _numbered(given: Any) -> Any:
    """Arguments; the keys of a table that comes first are whole numbers, where JSON has texts."""
    if not isinstance(given, list):
        raise SourceError(f"it calls a function with {type(given).__name__}, not with a list of arguments")
    return [_with_numbers(given[0])] if given and isinstance(given[0], dict) and _numeric(given[0]) else given


def _numbered_output(wanted: Any) -> Any:
    table = wanted[0] if isinstance(wanted, list) and wanted else wanted
    return [_with_numbers(table)] if isinstance(table, dict) and _numeric(table) else wanted


def _numeric(table: Mapping[str, Any]) -> bool:
    return all(re.fullmatch(r"\s*[+-]?\d+\s*", key) for key in table)


def _with_numbers(table: Mapping[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in table.items()}


def _live(entry: Mapping[str, Any]) -> Read:
    """``public_test_cases`` and ``private_test_cases``; a function's name is in ``metadata``."""
    if "public_test_cases" not in entry:
        raise SourceError("it has no public_test_cases, as LiveCodeBench's records have")
    public = _json(entry["public_test_cases"] or "[]")
    listed = [*public, *_packed(entry.get("private_test_cases") or "[]")]
    kinds = {str(case.get("testtype", "stdin")) for case in listed}
    if kinds - {"stdin", "functional"} or len(kinds) > 1:
        raise SourceError(
            f"its tests are of the kinds {', '.join(sorted(kinds))}; known are stdin and functional"
        )
    if kinds != {"functional"}:
        return [(str(case["input"]), str(case["output"])) for case in listed], len(public), ""
    name = _json(entry.get("metadata") or "{}").get("func_name")
    if not name:
        raise SourceError("it calls a function, and its metadata has no func_name")
    cases = [
        ([json.loads(line) for line in str(case["input"]).split("\n")], json.loads(str(case["output"])))
        for case in listed
    ]
    return cases, len(public), _function(name)


def _contest(entry: Mapping[str, Any]) -> Read:
    """``public_tests``, ``private_tests`` and ``generated_tests``, each as columns or as rows."""
    if "public_tests" not in entry:
        raise SourceError("it has no public_tests, as CodeContests' records have")
    for name in ("input_file", "output_file"):
        if entry.get(name):
            raise SourceError(f"it reads or writes the file {entry[name]}, not its standard input and output")
    groups = [_pairs(entry.get(f"{key}_tests")) for key in ("public", "private", "generated")]
    return [pair for group in groups for pair in group], len(groups[0]), ""


def _pairs(tests: Any) -> list[tuple[Any, Any]]:
    found = _json(tests or {})
    if isinstance(found, list):
        return [(str(each["input"]), str(each["output"])) for each in found]
    columns = zip(found.get("input", ()), found.get("output", ()), strict=True)
    return [(str(given), str(wanted)) for given, wanted in columns]


def _function(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise SourceError(f"it calls {name!r}, which is no function's name in Python")
    return name


def _named(entry: Mapping[str, Any]) -> str:
    for key in ("name", "question_title", "problem_id", "id", "question_id"):
        if entry.get(key) not in (None, ""):
            return str(entry[key])
    raise SourceError("a record without a name, problem_id or question_id")


def _statement(entry: Mapping[str, Any], title: str) -> str:
    for key in ("question", "description", "question_content"):
        if entry.get(key):
            return str(entry[key]).strip()
    raise SourceError(f"{title}: it has no question, description or question_content")


def _solutions(entry: Mapping[str, Any]) -> list[str]:
    """Programs that are said to be right, in Python 3, the shortest first."""
    found = _json(entry.get("solutions") or [])
    if isinstance(found, Mapping):
        pairs = zip(found.get("language", ()), found.get("solution", ()), strict=True)
        found = [text for language, text in pairs if language in PYTHON_3]
    elif any(isinstance(each, Mapping) for each in found):
        found = [each.get("solution", "") for each in found if each.get("language") in PYTHON_3]
    return sorted((str(text) for text in found if _is_python(str(text))), key=len)


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


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
