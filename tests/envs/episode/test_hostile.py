"""Designs that do harm: each is an ordinary outcome of a low reward, within its limits, on every backend."""

from __future__ import annotations

import time

import pytest

from mx_envs import StopReason, software_v0
from mx_sandboxes import SandboxError, open_sandbox
from mx_tasks import Budget, GradingError

FRAME = """
import os, json
def say(data, size=None):
    size = len(data) if size is None else size
    os.write(int(os.environ['MX_CHANNEL']), size.to_bytes(4, 'big') + data)
"""
QUESTION = (
    '{"op": "ask", "questions": [{"slot": 0, "agent": "a", "messages": [{"role": "user", "content": "x"}]}]}'
)

HOSTILE = {
    "hang": ("import time\ntime.sleep(60)", {StopReason.TIME}),
    "loop": ("while True: pass", {StopReason.TIME, StopReason.CPU}),
    "ignore every signal": (
        "import signal, time\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\n"
        "time.sleep(60)",
        {StopReason.TIME},
    ),
    "swallow everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        {StopReason.TIME, StopReason.CPU},
    ),
    "fork bomb": (
        "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)",
        {StopReason.TIME, StopReason.CPU, StopReason.CRASHED, StopReason.MEMORY},
    ),
    "leave a daemon": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)",
        {StopReason.FINISHED},
    ),
    "eat memory": (
        "x = bytearray(1 << 30)\nfor i in range(0, len(x), 4096): x[i] = 1",
        {StopReason.MEMORY, StopReason.CRASHED},
    ),
    "flood stdout": ("while True: print('x' * 10000)", {StopReason.OUTPUT}),
    "flood stderr": ("import sys\nwhile True: sys.stderr.write('x' * 10000)", {StopReason.OUTPUT}),
    "print what is not text": (
        "import sys\nsys.stdout.buffer.write(bytes(range(256)))",
        {StopReason.FINISHED},
    ),
    "crash": ("raise RuntimeError('no')", {StopReason.CRASHED}),
    "crash with a strange exception": (
        "class E(Exception):\n    def __str__(self): 1/0\nraise E",
        {StopReason.CRASHED},
    ),
    "exit with a code": ("import sys\nsys.exit(3)", {StopReason.CRASHED}),
    "exit well": ("import os\nos._exit(0)", {StopReason.FINISHED}),
    "kill itself": ("import os\nos.kill(os.getpid(), 9)", {StopReason.CRASHED}),
    "kill all": (
        "import os\nos.kill(-1, 9)",
        {StopReason.CRASHED, StopReason.FINISHED, StopReason.SANDBOX_DIED},
    ),
    "run a bad syntax": ("def (", {StopReason.INVALID}),
    "have a null byte": ("x = 1\0", {StopReason.INVALID}),
    "nest too deeply": ("(" * 5000 + ")" * 5000, {StopReason.INVALID}),
    "nest deep operators": (
        "-" * 30000 + "1",
        {StopReason.INVALID, StopReason.CRASHED, StopReason.FINISHED, StopReason.MEMORY},
    ),
    "be too long": ("#" * 70_000, {StopReason.INVALID}),
    "have lone surrogates": ("print('\ud800')", {StopReason.FINISHED}),
    "say nothing": ("", {StopReason.FINISHED}),
    "submit nothing": ("from mas import *\nsubmit('  ')", {StopReason.SUBMITTED}),
    "submit too much": ("from mas import *\nsubmit('x' * (2 << 20))", {StopReason.CRASHED}),
    "submit other things": ("from mas import *\nsubmit({1: object})", {StopReason.SUBMITTED}),
    "frame that is not JSON": (FRAME + "say(b'hello')", {StopReason.PROTOCOL}),
    "frame that is not UTF-8": (FRAME + "say(b'\"\\xff\\xfe\"')", {StopReason.PROTOCOL}),
    "frame too large": (
        FRAME + "say(b'x' * 100, 1 << 31)\nimport time\ntime.sleep(60)",
        {StopReason.PROTOCOL},
    ),
    "frame cut short": (FRAME + "say(b'\"x', 100)", {StopReason.PROTOCOL}),
    "frame never finished": (FRAME + "say(b'\"x', 100)\nimport time\ntime.sleep(60)", {StopReason.TIME}),
    "frame nested deeply": (FRAME + "say(b'[' * 100000 + b']' * 100000)", {StopReason.PROTOCOL}),
    "frame with a huge number": (FRAME + "say(b'9' * 100000)", {StopReason.PROTOCOL}),
    "frame of another kind": (FRAME + "say(b'[1]')", {StopReason.PROTOCOL}),
    "unknown operation": (FRAME + 'say(b\'{"op": "grade", "score": 1}\')', {StopReason.PROTOCOL}),
    "submission that is no text": (FRAME + 'say(b\'{"op": "submit", "answer": 1}\')', {StopReason.PROTOCOL}),
    "slot that is no number": (
        FRAME + f"say({QUESTION!r}.replace('0', 'true').encode())",
        {StopReason.PROTOCOL},
    ),
    "slot below zero": (FRAME + f"say({QUESTION!r}.replace('0', '-1').encode())", {StopReason.PROTOCOL}),
    "role that is none": (
        FRAME + f"say({QUESTION!r}.replace('user', 'root').encode())",
        {StopReason.PROTOCOL},
    ),
    "no messages": (
        FRAME + 'say(b\'{"op": "ask", "questions": [{"slot": 0, "agent": "a", "messages": []}]}\')',
        {StopReason.PROTOCOL},
    ),
    "batch too large": (
        FRAME + "say(json.dumps({'op': 'ask', 'questions': [{}] * 1001}).encode())",
        {StopReason.PROTOCOL},
    ),
    "ask and go": (FRAME + f"say({QUESTION!r}.encode())\nos._exit(0)", {StopReason.FINISHED}),
    "ask and close the channel": (
        FRAME + f"say({QUESTION!r}.encode())\nos.close(int(os.environ['MX_CHANNEL']))",
        {StopReason.FINISHED},
    ),
    "ask without end": (
        "from mas import *\na = Agent('a')\nwhile True:\n    try: a('x')\n    except BudgetExceeded: pass",
        {StopReason.BUDGET},
    ),
    "ask and never read": (
        FRAME + f"while True: say({QUESTION!r}.encode())",
        {StopReason.BUDGET, StopReason.PROTOCOL, StopReason.TIME},
    ),
    "reach for the network": (
        "import socket\nsocket.create_connection(('1.1.1.1', 53), 1)",
        {StopReason.CRASHED},
    ),
    "import the task sets": ("import mx_tasks", {StopReason.CRASHED}),
    "import the environments": ("import mx_envs.episode.episode", {StopReason.CRASHED}),
    "read what is above": (
        "import os\nseen = [n for n in os.listdir('..') if n in ('tests', 'mx_envs', 'tasks')]\n"
        "assert not seen\nopen('../../tests/envs/conftest.py')",
        {StopReason.CRASHED},
    ),
    "write what is above": ("open('../mine', 'w')", {StopReason.CRASHED}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_design_is_an_ordinary_outcome(name, play, sandbox, make_words):
    design, stops = HOSTILE[name]
    task_set = make_words(Budget(calls=4, wall_s=1.0))
    env = software_v0.env(tasks=task_set, sandbox=sandbox)
    began = time.monotonic()
    record = play(env, design, lambda _: "ok").episode
    assert time.monotonic() - began < 8.0
    assert record.stop in stops, (record.stop, record.error)
    assert record.grade.score == 0.0
    assert record.rewards.designer <= 0.0
    record.to_json().encode()
    assert play(env, "from mas import *\nsubmit(split(Agent('a')))").episode.grade.score == 1.0


@pytest.mark.parametrize(
    "answer", ["", "\0", "\ud800 lone", "\N{PILE OF POO}" * 100_000, "x" * 1_000_000, "```tool\n{}```"]
)
def test_any_answer_is_an_ordinary_answer(answer, play, sandbox, words):
    env = software_v0.env(tasks=words, sandbox=sandbox)
    record = play(
        env, "from mas import *\nsubmit(len(Agent('a', tools=('run',))(task)))", lambda _: answer
    ).episode
    assert record.stop is StopReason.SUBMITTED, record.error
    assert int(record.submission.answer) <= 65_536
    record.to_json().encode()


def test_the_limits_of_a_design_do_not_count_the_policies_time(play, sandbox, make_words):
    def slow(observation):
        time.sleep(0.5)
        return "ok"

    env = software_v0.env(tasks=make_words(Budget(calls=4, wall_s=0.6)), sandbox=sandbox)
    assert (
        play(env, "from mas import *\na = Agent('a')\na('x'); a('y')\nsubmit('z')", slow).episode.stop
        is StopReason.SUBMITTED
    )


@pytest.mark.parametrize("kind", [SandboxError, GradingError])
@pytest.mark.parametrize(("failures", "stop"), [(1, StopReason.SUBMITTED), (2, StopReason.GRADING_FAILED)])
def test_what_fails_in_grading_is_tried_once_more_and_then_has_no_verdict(
    failures, stop, kind, play, bubblewrap, make_words
):
    left = [kind("broken")] * failures

    class Failing(make_words):
        def grade(self, task, submission, sandbox):
            if left:
                raise left.pop()
            return super().grade(task, submission, sandbox)

    design = "from mas import *\nsubmit(split(Agent('a')))"
    record = play(software_v0.env(tasks=Failing(), sandbox=bubblewrap), design).episode
    assert (record.stop, record.grade.score) == (stop, float(failures == 1))
    assert record.failed == (failures == 2)
    assert record.rewards.designer == pytest.approx(0.0 if record.failed else 0.96)
    assert (record.as_dict()["grade"] is None) == record.failed


def test_a_sandbox_that_dies_is_an_outcome(sandbox, words):
    with open_sandbox(sandbox.backend, slots=1) as mortal:
        env = software_v0.env(tasks=words, sandbox=mortal)
        env.reset(seed=0)
        env.step("from mas import *\nsubmit(split(Agent('a')))")
        mortal.close()
        env.step("one")
        env.step("two")
        assert env.unwrapped.episode.stop is StopReason.SANDBOX_DIED
        assert env.unwrapped.episode.calls == 2
        env.close()


def test_a_submission_is_graded_after_the_design_is_dead(play, sandbox, make_words):
    seen = []

    class Curious(make_words):
        def grade(self, task, submission, sandbox):
            count = (
                "import os\n"
                "lines = [open(f'/proc/{p}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()]\n"
                "print(sum('design' in line for line in lines), os.listdir())"
            )
            seen.append(sandbox.run(["python", "-c", count]).stdout)
            return super().grade(task, submission, sandbox)

    design = (
        "import os\nfrom mas import *\nopen('left', 'w').write('x')\n"
        "if os.fork():\n    submit('x')\nos.setsid()\nwhile True: pass"
    )
    play(software_v0.env(tasks=Curious(), sandbox=sandbox), design)
    assert seen == [b"0 []\n"]
