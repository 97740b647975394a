"""``mx serve``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from mx_agents.cli.bench import new_folder, run
from mx_agents.cli.console import console
from mx_agents.programs import Programs
from mx_sandboxes import Sandboxes

EPISODES = "This key plays one episode after another: GET /mx/task, POST /mx/submit; the keys below open one episode each."
SEARCH = (
    'With this key: GET /mx/trials; POST /mx/trials {"candidate": SCRIPT, "tasks": "validation", "repeats": 1}; completions are '
    'the designer\'s; POST /mx/submit {"answer": SCRIPT} ends the search, and that script is played on the test split.'
)

DATASET = (
    "With this key, requests are told apart by the task text in them; an episode ends when it is silent. The tasks: GET /mx/task; "
    "POST /mx/finish when all is done."
)


@dataclass(frozen=True, slots=True)
class Serving:
    """Where programs find their episodes, and after how much silence theirs are over (None: never)."""

    host: str
    port: int
    key: str | None
    idle_s: float | None
    match: bool = False
    """Whether a request belongs to the episode whose task text it contains."""


def serve(
    options: dict[str, Any],
    given: set[str],
    folder: Path | None,
    *,
    resume: bool,
    in_flight: int,
    at: Serving,
    extras: Sequence[str] = (),
) -> int:
    """Serve the episodes of a benchmark to programs that come with their keys; the exit code."""
    screen = console()

    def opened(sandboxes: Sandboxes) -> Programs:
        programs = Programs(sandboxes, host=at.host, port=at.port, idle_s=at.idle_s)
        programs.key = at.key or programs.key

        def told(own: str, desk: Any) -> None:
            about = {"task": desk.task["id"], "base_url": f"{programs.url}/v1", "key": own}
            screen.print(Text(f"open  {about['task']}  OPENAI_API_KEY={own}", style="dim"), soft_wrap=True)
            keys.touch(mode=0o600)
            with keys.open("a", encoding="utf-8") as file:
                file.write(json.dumps(about) + "\n")

        programs.on_episode = told
        screen.print(Text(f"OPENAI_BASE_URL={programs.url}/v1"), soft_wrap=True)
        screen.print(Text(f"OPENAI_API_KEY={programs.key}"), soft_wrap=True)
        screen.print(DATASET if at.match else SEARCH if searches else EPISODES, style="dim")
        return programs

    searches = options["methods"] == ("optimiser",)
    target = folder or new_folder("serve")
    keys = target / "keys.jsonl"
    return run(
        options,
        given,
        target,
        resume=resume,
        in_flight=in_flight,
        serve=opened,
        extras=extras,
        match=at.match,
    )
