"""inspect_ai's solvers: what they would say to a model is in the question, or the task is refused by the solver's name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import load_task_set
from mx_tasks.software.errors import SourceError
from mx_tasks.software.imports.inspect_import import import_inspect
from tests.tasks.software.imports.test_inspect_import import Sample


def solver(name: str, **options: Any) -> Any:
    """A solver as inspect's registry marks it."""
    return SimpleNamespace(
        __registry_info__=SimpleNamespace(name=f"inspect_ai/{name}"), __registry_params__=options
    )


SYSTEM = solver(
    "system_message", template="You count in {base}. Say {nothing} else.", params={"base": "sevens"}
)
CASES: list[tuple[Any, str]] = [
    ([SYSTEM, solver("generate")], "You count in sevens. Say {nothing} else.\n\nHow many days?\n"),
    (SYSTEM, "You count in sevens. Say {nothing} else.\n\nHow many days?\n"),
    (
        SimpleNamespace(steps=[SYSTEM, solver("generate")]),
        "You count in sevens. Say {nothing} else.\n\nHow many days?\n",
    ),
    (
        [[solver("system_message", template="A {")], solver("system_message", template="B")],
        "A {\n\nB\n\nHow many days?\n",
    ),
    (
        [solver("prompt_template", template="Q: {prompt} ({hint})", hint="a week")],
        "Q: How many days? (a week)\n",
    ),
    (
        [solver("user_message", template="Answer at the end."), solver("generate")],
        "How many days?\n\nAnswer at the end.\n",
    ),
    ([solver("generate")], "How many days?\n"),
    ([], "How many days?\n"),
    (None, "How many days?\n"),
]


@pytest.mark.parametrize("field", ["solver", "plan", "setup"])
@pytest.mark.parametrize(("solvers", "prompt"), CASES)
def test_what_a_solver_says_is_in_the_question(
    tmp_path: Path, bubblewrap_or_skip: Sandbox, field: str, solvers: Any, prompt: str
) -> None:
    made = SimpleNamespace(dataset=[Sample("How many days?", "7", id="days")], **{field: solvers})
    assert list(import_inspect(made, "quiz", tmp_path / "quiz", bubblewrap_or_skip, print)) == ["days"]
    assert load_task_set(str(tmp_path / "quiz")).find("days").prompt == prompt


def test_a_template_of_a_file_is_read(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    (tmp_path / "system.txt").write_text("Be brief.\n")
    made = SimpleNamespace(
        dataset=[Sample("How many days?", "7", id="days")],
        solver=solver("system_message", template=str(tmp_path / "system.txt")),
    )
    list(import_inspect(made, "quiz", tmp_path / "quiz", bubblewrap_or_skip, print))
    assert load_task_set(str(tmp_path / "quiz")).find("days").prompt.startswith("Be brief.")


@pytest.mark.parametrize(
    "name", ["self_critique", "use_tools", "basic_agent", "react", "chain_of_thought", "my_solver"]
)
def test_any_other_solver_is_refused_by_name(tmp_path: Path, bubblewrap_or_skip: Sandbox, name: str) -> None:
    made = SimpleNamespace(
        dataset=[Sample("How many days?", "7")], solver=[SYSTEM, solver(name), solver("generate")]
    )
    with pytest.raises(SourceError, match=rf"the solver {name} cannot be honoured; there are: generate"):
        list(import_inspect(made, "quiz", tmp_path / "quiz", bubblewrap_or_skip, print))
