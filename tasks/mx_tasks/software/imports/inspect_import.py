"""Import inspect_ai's samples: a task, a dataset or a list of ``Sample``s, or a function that makes one.

inspect_ai itself is needed only where the user's module imports it; here its objects are read by their fields. Scorers that can be
honoured without a model or a sandbox of inspect's: exact, match, includes, choice; solvers that only change the question's text:
system_message, user_message, prompt_template, multiple_choice, generate. The others are refused by name, and so are
samples with a setup script, a sandbox configuration of their own, or messages that are not text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, base_config, write_directory
from mx_tasks.software.errors import SourceError
from mx_tasks.software.grading.inside.compare_texts import HONOURED, LETTERS, right
from mx_tasks.software.imports.inspect_solvers import asked_by, solvers_of
from mx_tasks.software.sets.inspect_tasks import FORM, TARGET, WORKSPACE, InspectTasks
from mx_tasks.task import Submission

Report = Callable[[str], None]
Solvers = Sequence[tuple[str, Mapping[str, Any]]]
CHOOSE = """

{options}

Think if you like. The last line of your answer is 'ANSWER: LETTER' with the letter of the right choice{several}."""
_COMPARER = resources.files("mx_tasks.software.grading").joinpath("inside", "compare_texts.py").read_bytes()
_DOCKERFILE = """FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY workspace /app
WORKDIR /app
"""
_TEST_SH = """#!/bin/sh
mkdir -p /logs/verifier
python3 -I /tests/compare_texts.py /tests/target.json /app/answer.md /logs/verifier/reward.txt
"""


def import_inspect(
    made: object, name: str, folder: Path, sandbox: Sandbox, report: Report, *, split: str = "test"
) -> Iterator[str]:
    """Import what a user's module made, giving the name of each sample that holds; the others are reported with the reason.

    Raises SourceError when it is neither a task, a dataset nor samples, or when its scorer cannot be honoured.
    """
    made = made() if callable(made) and not hasattr(made, "dataset") else made
    scorer, options = _scorer(made)
    solvers = solvers_of(made)
    samples: Any = getattr(made, "dataset", made)
    if not isinstance(samples, Iterable) or isinstance(samples, str | bytes | Mapping):
        raise SourceError(
            f"{name} made a {type(made).__name__}, which is no inspect task, dataset or list of samples"
        )
    place = 0
    for place, sample in enumerate(samples, 1):
        title = str(getattr(sample, "id", None) or f"{name}-{place}")
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.") or f"{name}-{place}"
        try:
            directory = as_directory(sample, slug, name, scorer, options, split, solvers)
            _check(directory, sandbox)
            write_directory(directory, folder)
        except (SourceError, TaskDirectoryError) as error:
            report(f"{slug}: refused: {' '.join(str(error).split())}")
            continue
        yield slug
    if not place:
        raise SourceError(f"{name} has no samples")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A sample's question, and how its answer is judged."""

    prompt: str
    how: str
    targets: list[str]


def _asked(sample: Any, scorer: str | None, solvers: Solvers) -> _Asked:
    """Raises SourceError for what cannot be honoured."""
    if not hasattr(sample, "input") or not hasattr(sample, "target"):
        raise SourceError(f"a {type(sample).__name__} is no Sample: it has no input and target")
    for field in ("setup", "sandbox"):
        if getattr(sample, field, None):
            raise SourceError(f"its {field} ({str(getattr(sample, field))[:60]!r}) cannot be honoured")
    choices = list(getattr(sample, "choices", None) or ())
    how = scorer or ("choice" if choices else "match")
    targets = [
        str(each) for each in (sample.target if isinstance(sample.target, list | tuple) else [sample.target])
    ]
    if not any(target.strip() for target in targets):
        raise SourceError("it has no target")
    if how == "choice" and not (choices and len(choices) <= len(LETTERS)):
        raise SourceError(f"choice needs 1 to {len(LETTERS)} choices, and it has {len(choices)}")
    prompt = asked_by(solvers, _text(sample.input))
    if choices:
        lines = "\n".join(f"{letter}) {each}" for letter, each in zip(LETTERS, choices, strict=False))
        prompt += CHOOSE.format(options=lines, several="s, with commas" if len("".join(targets)) > 1 else "")
    return _Asked(prompt, how, targets)


def as_directory(
    sample: Any,
    slug: str,
    name: str,
    scorer: str | None,
    options: Mapping[str, Any],
    split: str,
    solvers: Solvers = (),
) -> TaskDirectory:
    """A sample's directory. Raises SourceError for what cannot be honoured."""
    asked = _asked(sample, scorer, solvers)
    prompt, how, targets = asked.prompt, asked.how, asked.targets
    config = base_config(
        f"mx-envs/{slug}", prompt.strip().partition("\n")[0][:200], keywords=("inspect", how)
    )
    metadata = getattr(sample, "metadata", None)
    known = (
        {key: value for key, value in metadata.items() if isinstance(value, str | int | float)}
        if isinstance(metadata, Mapping)
        else {}
    )
    config["metadata"] |= {
        "category": "question",
        "inspect": {str(key): value for key, value in known.items()},
    }
    config["metadata"]["mx"] = {
        "form": FORM,
        "kind": "inspect",
        "split": split,
        "origin": name,
        "scorer": how,
    }
    about = {"scorer": how, "options": dict(options), "targets": targets}
    files = {inner: _data(str(value)) for inner, value in dict(getattr(sample, "files", None) or {}).items()}
    return TaskDirectory(
        name=slug,
        config=config,
        instruction=prompt.rstrip() + "\n",
        environment={
            "Dockerfile": _DOCKERFILE.encode(),
            **{f"{WORKSPACE}{inner}": data for inner, data in (files or {".keep": b""}).items()},
        },
        tests={
            "test.sh": _TEST_SH.encode(),
            "compare_texts.py": _COMPARER,
            TARGET: (json.dumps(about) + "\n").encode(),
        },
        solution={
            "solve.sh": b"#!/bin/sh\ncp /solution/answer.md /app/answer.md\n",
            "answer.md": _gold(how, targets).encode(),
        },
    )


def _check(directory: TaskDirectory, sandbox: Sandbox) -> None:
    tasks = InspectTasks([directory], "import")
    task = tasks.find(directory.name)
    for what, submission, wanted in (("its target", tasks.gold(task), 1.0), ("doing nothing", Submission(), 0.0),
                                     ("its own question", Submission(task.prompt), 0.0)):  # fmt: skip
        score = tasks.grade(task, submission, sandbox).score
        if score != wanted:
            raise SourceError(f"{what} scores {score:g}, not {wanted:g}")


def _gold(scorer: str, targets: list[str]) -> str:
    if scorer == "choice":
        return "ANSWER: " + ", ".join(letter for target in targets for letter in target.strip().upper())
    return next((target for target in targets if right(scorer, {}, targets, target)), targets[0])


def _scorer(made: object) -> tuple[str | None, dict[str, Any]]:
    """The scorer's bare name and options; None where none is given. Raises SourceError for one that cannot be honoured."""
    found = getattr(made, "scorer", None)
    scorers = list(found) if isinstance(found, list | tuple) else [found] if found is not None else []
    if not scorers:
        return None, {}
    names = [
        str(
            getattr(getattr(each, "__registry_info__", None), "name", None) or getattr(each, "__name__", each)
        )
        for each in scorers
    ]
    bare = [each.rpartition("/")[2] for each in names]
    if len(bare) != 1 or bare[0] not in HONOURED:
        raise SourceError(
            f"the scorer {', '.join(names)} cannot be honoured; there are: {', '.join(HONOURED)}"
        )
    options = dict(getattr(scorers[0], "__registry_params__", None) or {})
    return bare[0], {key: value for key, value in options.items() if isinstance(value, str | bool | int)}


def _text(given: Any) -> str:
    """A question's text, of messages those of the user and the system. Raises SourceError for pictures and the like."""
    if isinstance(given, str):
        return given
    texts = []
    for message in given:
        content = getattr(message, "content", None)
        parts = [content] if isinstance(content, str) else list(content or ())
        for part in parts:
            text = part if isinstance(part, str) else getattr(part, "text", None)
            if not isinstance(text, str):
                raise SourceError(
                    f"a message holds {getattr(part, 'type', type(part).__name__)}, and only text can be shown"
                )
            texts.append(
                text if getattr(message, "role", "user") in ("user", "system") else f"{message.role}: {text}"
            )
    return "\n\n".join(texts)


def _data(value: str) -> bytes:
    """A file's contents: a data URL's, those of a file of that name, else the text itself."""
    header, comma, body = value.partition(",")
    if header.startswith("data:") and comma:
        return base64.b64decode(body) if header.endswith(";base64") else body.encode()
    if "\n" not in value and len(value) < 1024 and Path(value).is_file():
        return Path(value).read_bytes()
    return value.encode()
