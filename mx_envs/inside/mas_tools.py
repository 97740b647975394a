"""What agents with tools can do in the workspace. Beside ``mas``, on the standard library alone, imported when an agent has tools.

It imports nothing of ours: ``mas`` imports it, and tells it (:func:`serve`) how the program that runs tests and hands in.

A call is a fenced block in an answer, any number of them one after the other::

    ```tool
    {"name": "edit", "arguments": {"name": "stats.py", "old": "items[1:]", "new": "items"}}
    ```

``view``, ``search`` and ``test`` change nothing in the workspace: tests run in a copy of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

CHARACTERS = 4000
"""Of a result that an agent sees; the middle of a longer one is left out."""
LINES = 400
HITS = 40
LARGEST_FILE = 1 << 20
COMMAND_S = 30.0
MARK = "```tool"
HIDDEN = {
    "mas.py",
    "mas.pyc",
    "mas_tools.py",
    "mas_tools.pyc",
    "task.json",
    "design.py",
    ".mx",
    "__pycache__",
}
"""Files of the program that runs, not of the task."""


class ToolError(Exception):
    """A call that cannot be done; the message is for the agent."""


_program: dict[str, Callable[[str], Any]] = {}


def serve(check: Callable[[str], Any], hand_in: Callable[[str], Any]) -> None:
    """Tell the tools of the program that runs: ``check`` tests an answer (true, or with a ``message``), ``hand_in`` ends it."""
    _program.update(check=check, hand_in=hand_in)


def cut(text: str, limit: int = CHARACTERS) -> str:
    """The text, or its head and tail where it is longer."""
    if len(text) <= limit:
        return text
    head, tail = limit * 6 // 10, limit * 4 // 10
    return f"{text[:head]}\n... {len(text) - head - tail} characters left out ...\n{text[-tail:]}"


def calls_in(answer: str) -> Iterator[tuple[str, dict[str, Any]] | str]:
    """The calls in an answer: (name, arguments), or for a block that is none the error."""
    place = answer.find(MARK)
    while place >= 0:
        start = place + len(MARK)
        while start < len(answer) and answer[start].isspace():
            start += 1
        try:
            call, end = json.JSONDecoder(strict=False).raw_decode(answer, start)
            arguments = call.get("arguments", {})
            if isinstance(arguments, str):  # as some endpoints have it
                arguments = json.loads(arguments or "{}")
            yield str(call["name"]), dict(arguments or {})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            end = start
            yield f'error: not a call ({type(error).__name__}: {error}); a call is {{"name": ..., "arguments": {{...}}}} in JSON'
        place = answer.find(MARK, max(end, place + 1))


def results(answer: str, allowed: Sequence[str]) -> str | None:
    """What the calls in an answer give, as one text; None when there is no call."""
    said = []
    for call in calls_in(answer):
        if isinstance(call, str):
            said.append(("?", call))
        else:
            said.append((call[0], use(call[0], call[1], allowed)))
    if not said:
        return None
    return said[0][1] if len(said) == 1 else "\n".join(f"[{name}]\n{result}" for name, result in said)


def use(name: str, arguments: dict[str, Any], allowed: Sequence[str]) -> str:
    """What one call gives. What goes wrong is the result; only ``submit`` does not come back."""
    if name == "refused":
        return f"the call was refused: {arguments.get('reason') or 'no reason given'}"
    if name not in allowed:
        return f"error: no tool {name!r}; there are {', '.join(allowed)}"
    try:
        if name in TOOLS:
            return cut(TOOLS[name].call(arguments))
        return cut(use_of_task(name, arguments))
    except ToolError as error:
        return cut(f"error: {error}")
    except Exception as error:
        return cut(f"error: {type(error).__name__}: {error}")


def guide(allowed: Sequence[str]) -> str:
    """What an agent is told of its tools."""
    lines = []
    for name in allowed:
        tool = TOOLS.get(name) or task_tools()[name]
        arguments = ", ".join(f'"{key}": {about}' for key, about in tool.arguments.items())
        lines.append(f"{name}: {{{arguments}}} {tool.description}")
    return (
        "To use a tool, answer with one block like this and wait for its result:\n"
        f"{MARK}\n{_example(allowed)}\n```\n"
        "When you are done, answer without a tool block. The tools:\n" + "\n".join(lines)
    )


def _example(allowed: Sequence[str]) -> str:
    tool = TOOLS.get(allowed[0]) or task_tools()[allowed[0]]
    return json.dumps({"name": allowed[0], "arguments": dict.fromkeys(list(tool.arguments)[:1], "...")})


def known() -> list[str]:
    """All tools that there are here."""
    return [*TOOLS, *(name for name in task_tools() if name not in TOOLS)]


# ---------------------------------------------------------------------------------------------------- the task's own


class Tool:
    """A tool: what agents are told of it, and what it does."""

    def __init__(self, description: str, do: Callable[..., str], **arguments: str) -> None:
        self.description, self.do, self.arguments = description, do, arguments

    def call(self, arguments: dict[str, Any]) -> str:
        """Do it, with the arguments that it knows."""
        unknown = [name for name in arguments if name not in self.arguments]
        if unknown:
            raise ToolError(f"no argument {unknown[0]!r}; there are {', '.join(self.arguments) or 'none'}")
        missing = [
            name
            for name, about in self.arguments.items()
            if name not in arguments and "optional" not in about
        ]
        if missing:
            raise ToolError(f"the argument {missing[0]!r} is missing")
        return self.do(**arguments)


_task_tools: dict[str, Tool] | None = None
_RUN = "import json, sys\narguments = json.loads(sys.argv[2])\nexec(compile(sys.argv[1], 'tool', 'exec'))\n"


def task_tools() -> dict[str, Tool]:
    """The tools that the task brings."""
    global _task_tools
    if _task_tools is None:
        _task_tools = {each["name"]: _task_tool(each) for each in about_task().get("tools", [])}
    return _task_tools


def about_task() -> dict[str, Any]:
    """What the host tells of the task."""
    with open("task.json") as file:
        about: dict[str, Any] = json.load(file)
    return about


def _task_tool(about: dict[str, Any]) -> Tool:
    schema = about["arguments"]
    described = {
        name: f"{one.get('type', 'string')}{', optional' if 'default' in one else ''}"
        + (f": {one['description']}" if one.get("description") else "")
        for name, one in schema.items()
    }
    defaults = {name: one["default"] for name, one in schema.items() if "default" in one}

    def do(**arguments: Any) -> str:
        code, output = _run(
            [sys.executable, "-c", _RUN, about["source"], json.dumps({**defaults, **arguments})], COMMAND_S
        )
        return output if code == 0 else f"exit code {code}\n{output}"

    return Tool(about["description"], do, **described)


def use_of_task(name: str, arguments: dict[str, Any]) -> str:
    """What a tool of the task gives."""
    return task_tools()[name].call(arguments)


# ---------------------------------------------------------------------------------------------------- ours


def _run(argv: list[str], timeout: float, folder: str | None = None) -> tuple[int, str]:
    """Exit code and output of a fresh process and of all that it starts, in a group of its own."""
    with tempfile.TemporaryFile() as file:
        program = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
        )
        try:
            code = program.wait(timeout)
        except subprocess.TimeoutExpired:
            code = 124
        try:
            os.killpg(program.pid, 9)
        except ProcessLookupError:
            pass
        program.wait()
        size = os.fstat(file.fileno()).st_size
        file.seek(0)
        data = file.read(4 * CHARACTERS)
        if size > 8 * CHARACTERS:
            file.seek(size - 4 * CHARACTERS)
            return code, (data + b"\n...\n" + file.read()).decode(errors="replace")
        return code, (data + file.read()).decode(errors="replace")


def bash(command: str, timeout: float = COMMAND_S) -> str:
    """Run a shell command."""
    shell = shutil.which("bash") or "/bin/sh"
    code, output = _run([shell, "-c", str(command)], min(float(timeout), 10 * COMMAND_S))
    late = f" (ended after {timeout:g} s)" if code == 124 else ""
    return f"exit code {code}{late}\n{output}"


def _inside(name: str) -> str:
    """The path of a workspace file. Raises ToolError for what is outside, whatever links lead there."""
    root = os.path.realpath(".")
    path = os.path.realpath(os.path.join(root, str(name)))
    if path != root and not path.startswith(root + os.sep):
        raise ToolError(f"{name!r} is not in the workspace")
    return path


def _text(name: str) -> str:
    path = _inside(name)
    if not os.path.isfile(path):
        raise ToolError(f"there is no file {name!r}; there are: {', '.join(_names()[:30]) or 'none'}")
    if os.path.getsize(path) > LARGEST_FILE:
        raise ToolError(f"{name!r} is larger than {LARGEST_FILE} bytes")
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def _names(top: str = ".") -> list[str]:
    """Names of the task's files in a folder, at any depth."""
    found: list[str] = []
    for place, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in HIDDEN and name != ".git")
        found += [os.path.relpath(os.path.join(place, name)) for name in sorted(files) if name not in HIDDEN]
    return found


def view(name: str = ".", start: int = 1, end: int = 0) -> str:
    """A file with numbered lines, or the names in a folder."""
    path = _inside(name)
    if os.path.isdir(path):
        return "\n".join(_names(path)[:LINES]) or "no files"
    lines = _text(name).splitlines()
    first, last = max(1, int(start)), min(len(lines), int(end) or int(start) + LINES - 1)
    shown = [f"{number:5}  {lines[number - 1]}" for number in range(first, last + 1)]
    rest = f"\n({len(lines)} lines in all)" if last < len(lines) or first > 1 else ""
    return ("\n".join(shown) or "no such lines") + rest


def search(pattern: str, path: str = ".") -> str:
    """The lines that match a regular expression."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ToolError(f"{pattern!r} is no regular expression: {error}") from None
    top = _inside(path)
    found: list[str] = []
    for name in [path] if os.path.isfile(top) else _names(top):
        try:
            lines = _text(name).splitlines()
        except (ToolError, OSError):
            continue
        found += [
            f"{name}:{number}: {line[:200]}" for number, line in enumerate(lines, 1) if wanted.search(line)
        ]
        if len(found) > HITS:
            return "\n".join(found[:HITS]) + "\n(and more)"
    return "\n".join(found) or "no line matches"


def edit(name: str, old: str, new: str) -> str:
    """Replace the one place where a text occurs; with an empty ``old``, write a new file."""
    path = _inside(name)
    if not old:
        if os.path.exists(path):
            raise ToolError(f"{name!r} exists; say in 'old' what is to be replaced")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return _write(path, new, f"{name} written")
    text = _text(name)
    places = [match.start() for match in re.finditer(re.escape(old), text)]
    if len(places) != 1:
        raise ToolError(_why_not_one(name, text, old, places))
    return _write(path, text.replace(old, new), f"{name} edited at line {_line(text, places[0])}")


def _write(path: str, text: str, said: str) -> str:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return said


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _why_not_one(name: str, text: str, old: str, places: list[int]) -> str:
    if places:
        numbers = ", ".join(str(_line(text, place)) for place in places[:20])
        return f"'old' occurs {len(places)} times in {name}, at lines {numbers}; give more of the lines around the one you mean"
    first = next((line.strip() for line in old.splitlines() if line.strip()), "")
    near = [
        f"{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if first and first in line
    ][:5]
    hint = (
        f"; its first line is near: {' | '.join(near)}"
        if near
        else "; view the file and copy the text exactly"
    )
    return f"'old' does not occur in {name}{hint}"


def run_tests(select: str = "", answer: str = "") -> str:
    """Run the visible tests: the task's public checks on an answer, else pytest in a copy of the workspace."""
    if answer:
        check = _program["check"](answer)
        return "passed" if check else f"failed\n{check.message}"
    folder = tempfile.mkdtemp(prefix="tests-")
    try:
        copy = os.path.join(folder, "copy")
        shutil.copytree(
            ".", copy, symlinks=True, ignore=lambda _, names: [name for name in names if name in HIDDEN]
        )
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--junitxml=../report.xml",
            "--tb=short",
        ]
        argv += ["-k", select] if select else []
        code, output = _run(argv, 2 * COMMAND_S, copy)
        return _summary(os.path.join(folder, "report.xml"), code, output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _summary(report: str, code: int, output: str) -> str:
    from xml.etree import ElementTree as ET

    try:
        cases = list(ET.parse(report).iter("testcase"))
    except (OSError, ET.ParseError):
        if "No module named pytest" in output:
            return "error: there is no pytest here"
        return f"no report: exit code {code}\n{cut(output, 1500)}"
    bad = []
    for case in cases:
        failure = case.find("failure")
        failure = case.find("error") if failure is None else failure
        if failure is not None:
            text = (failure.text or failure.get("message") or "").strip()
            bad.append(f"{case.get('classname')}::{case.get('name')}\n{cut(text, 600)}")
    skipped = sum(case.find("skipped") is not None for case in cases)
    if not cases:
        return "there are no visible tests"
    head = f"{len(cases) - len(bad) - skipped} passed, {len(bad)} failed, {skipped} skipped"
    return "\n\n".join([head, *bad[:8]]) + (f"\n\nand {len(bad) - 8} more" if len(bad) > 8 else "")


def submit(answer: str = "") -> str:
    """Hand in and end the program."""
    _program["hand_in"](answer)
    return ""


def read_file(name: str) -> str:
    """A file as it is."""
    return _text(name)


def write_file(name: str, text: str) -> str:
    """Write a whole file."""
    path = _inside(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return _write(path, str(text), "written")


TOOLS = {
    "bash": Tool("runs a shell command in the workspace", bash, command="string", timeout="seconds, optional"),
    "run": Tool("runs a shell command in the workspace", bash, command="string", timeout="seconds, optional"),
    "view": Tool(
        "shows a file with line numbers, or the names in a folder", view, name="string, optional", start="line, optional",
        end="line, optional",
    ),
    "search": Tool("finds lines by a regular expression", search, pattern="string", path="file or folder, optional"),
    "edit": Tool(
        "replaces a text that occurs exactly once in a file; an empty 'old' makes a new file", edit, name="string", old="string",
        new="string",
    ),
    "test": Tool(
        "runs the visible tests; changes nothing", run_tests, select="pytest -k expression, optional",
        answer="string, optional: test this answer instead of the files",
    ),
    "submit": Tool("hands in the workspace's files, and an answer if there is one, and ends", submit, answer="string, optional"),
    "read_file": Tool("gives a file of the workspace", read_file, name="string"),
    "write_file": Tool("writes a whole file of the workspace", write_file, name="string", text="string"),
}  # fmt: skip
