"""What inspect_ai's solvers make of a question: those that only change its text are honoured, all others refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mx_tasks.software.errors import SourceError

SILENT = ("generate", "multiple_choice")
"""They ask the model and no more; choices are shown in any case."""
HONOURED = (*SILENT, "system_message", "user_message", "prompt_template")


def solvers_of(made: object) -> list[tuple[str, Mapping[str, Any]]]:
    """A task's solvers but for those that say nothing, by bare name with their options. Raises SourceError for others."""
    found = [getattr(made, "setup", None), getattr(made, "solver", None), getattr(made, "plan", None)]
    named = [_named(each) for part in found if part is not None for each in _flat(part)]
    unknown = [name for name, _ in named if name not in HONOURED]
    if unknown:
        raise SourceError(
            f"the solver {', '.join(unknown)} cannot be honoured; there are: {', '.join(HONOURED)}"
        )
    return [(name, options) for name, options in named if name not in SILENT]


def asked_by(solvers: Iterable[tuple[str, Mapping[str, Any]]], question: str) -> str:
    """The question with what the solvers put before, around and after it. Raises SourceError for a template that is none."""
    before: list[str] = []
    after: list[str] = []
    for name, options in solvers:
        text = _template(options)
        if name == "prompt_template":
            question = _filled(text, {**_params(options), "prompt": question})
        else:
            (before if name == "system_message" else after).append(_filled(text, _params(options)))
    return "\n\n".join([*before, question, *after])


def _flat(part: Any) -> Iterable[Any]:
    """The solvers of a chain, a plan or a list, which may hold each other."""
    inner = getattr(part, "steps", part)
    if isinstance(inner, Iterable) and not isinstance(inner, str | Mapping):
        for each in inner:
            yield from _flat(each)
    elif inner is not None:
        yield inner


def _named(solver: Any) -> tuple[str, Mapping[str, Any]]:
    name = getattr(getattr(solver, "__registry_info__", None), "name", None) or getattr(
        solver, "__name__", type(solver).__name__
    )
    return str(name).rpartition("/")[2], getattr(solver, "__registry_params__", None) or {}


def _template(options: Mapping[str, Any]) -> str:
    """A template as it is, or of the file of that name, as inspect_ai reads it."""
    text = options.get("template")
    if not isinstance(text, str):
        raise SourceError("a solver without a template of text cannot be honoured")
    if "\n" not in text and len(text) < 1024 and Path(text).is_file():
        return Path(text).read_text("utf-8")
    return text


def _params(options: Mapping[str, Any]) -> dict[str, Any]:
    inner = options.get("params")
    return {**options, **(inner if isinstance(inner, Mapping) else {})}


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """A template with the values that there are in their places; what has no value stays as it is."""

    class Kept(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return "{" + key + "}"

    try:
        return text.format_map(Kept(values))
    except (ValueError, IndexError, KeyError, AttributeError):
        return text
