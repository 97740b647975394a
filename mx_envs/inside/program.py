"""Runs a design that is a program of its own kind: its OpenAI client finds the episode's executors on the loopback.

Started in the workspace as ``python .mx/program.py``, it serves the endpoint, sets what clients read, and runs ``design.py``.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading

sys.path[0] = (
    os.getcwd()
)  # what `python design.py` would have; the endpoint's package comes from beside this file
sys.path.append(os.path.join(os.getcwd(), ".mx"))

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

import mas  # noqa: E402
import mas_tools  # noqa: E402
from endpoint.asking import Said  # noqa: E402
from endpoint.desk import Desk  # noqa: E402
from endpoint.sampling import Terms  # noqa: E402
from endpoint.server import MODELS, Endpoint  # noqa: E402
from endpoint.workspace import tools_of, use  # noqa: E402


def said(frame: dict[str, Any]) -> Said | None:
    """What the host's frame says; None where the budget had no room."""
    return None if frame["answer"] is None else Said(frame["answer"], frame.get("about"))


def answered(desk: Desk) -> None:
    """Carry calls to the host and their answers back, for ever."""
    while not desk.closed:
        calls = desk.take()
        if calls:
            frames = iter(mas._ask_whole([question for call in calls for question in call.questions]))
            for call in calls:
                desk.give(call, [said(next(frames)) for _ in range(call.asking.n)])
        if desk.service_call is not None:
            asked = desk.service_call
            try:
                desk.reply({"result": mas._call(asked["service"], asked["method"], **asked["arguments"])})
            except mas.ServiceError as error:
                desk.reply({"error": str(error)})
        if desk.submission is not None:
            mas.submit(desk.submission)


def new_seat() -> int:
    """The next seat, as :class:`mas.Agent` counts them."""
    slot: int = mas.Agent.made
    mas.Agent.made += 1
    return slot


def main() -> None:
    """Serve, and run the program."""
    task = {"id": mas.task.id, "prompt": mas.task.prompt, "files": mas.task.files}
    task["parts"] = [{"name": part.name, "prompt": str(part)} for part in mas.task.parts]
    with open("task.json", encoding="utf-8") as file:
        terms = Terms.from_dict(json.load(file).get("terms"))
    desk = Desk(task, tools_of(mas_tools.TOOLS, mas_tools.about_task()), use, new_seat, terms)
    server = Endpoint(lambda _: desk).start()
    threading.Thread(target=answered, args=(desk,), name="answers", daemon=True).start()
    url = f"{server.url}/v1"
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        os.environ[name] = url
    os.environ["OPENAI_API_KEY"] = "mx-inside"
    os.environ.setdefault("OPENAI_DEFAULT_MODEL", MODELS[0])
    os.environ["ANTHROPIC_BASE_URL"] = server.url
    os.environ["ANTHROPIC_API_KEY"] = "mx-inside"
    os.environ["MX_URL"] = server.url
    os.environ["MX_TASK_PROMPT"] = mas.task.prompt
    sys.argv = ["design.py"]
    runpy.run_path("design.py", run_name="__main__")


if __name__ == "__main__":
    main()
