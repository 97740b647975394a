"""The designer's module, end to end: each piece in a script, in a sandbox, asked through the environment."""

from __future__ import annotations

import pytest

from mx_envs import StopReason, software_v0

CODER = "from mas import *\ncoder = Agent('coder', 'Reverse.')\n"


@pytest.fixture
def run_script(play, bubblewrap, words):
    def run_script(script, answer=None, task_set=None, **options):
        env = software_v0.env(tasks=task_set or words, sandbox=bubblewrap, **options)
        arguments = () if answer is None else (answer,)
        return play(env, script, *arguments, options={"index": 0}).episode

    return run_script


def test_an_agent_keeps_its_conversation_and_a_fresh_one_starts_anew(run_script):
    record = run_script(
        CODER + "coder('one')\ncoder('two')\ncoder.fresh()('three')\nsubmit('x')", lambda _: "ok"
    )
    assert [[m["content"] for m in turn.messages] for turn in record.turns] == [
        ["Reverse.", "one"],
        ["Reverse.", "one", "ok", "two"],
        ["Reverse.", "three"],
    ]
    assert [turn.slot for turn in record.turns] == [0, 0, 1]
    assert [turn.agent for turn in record.turns] == ["executor_0", "executor_0", "executor_1"]


def test_slots_go_round_in_order_of_creation(run_script):
    script = "from mas import *\nagents = [Agent(f'a{i}') for i in range(5)]\nagents[4]('x')\nagents[1]('x')\nsubmit('x')"
    record = run_script(script, executors=3)
    assert [(turn.name, turn.slot) for turn in record.turns] == [("a4", 1), ("a1", 1)]


def test_the_task_its_parts_and_their_checks(run_script):
    record = run_script(
        "from mas import *\n"
        "right, wrong = task.parts[0].check('enots'), task.parts[0].check('stone')\n"
        "print(task.id, len(task.parts), task.parts[0].name, task.parts[0] == '1. stone', task.files)\n"
        "print(right.ok, wrong.ok, wrong.message)\n"
        "print(task.check(['enots', 'revir']).ok, task.check('enots\\nrevir').ok, task.check('enots').ok)\n"
        "print(task.prompt == str(task))\n"
    )
    assert record.log.splitlines() == [
        "words-train-0 2 1 True ['notes.txt']",
        "True False AssertionError: not reversed",
        "True True False",
        "True",
    ]


def test_a_task_without_parts_is_one_part(run_script, make_words):
    record = run_script(CODER + "submit(split(coder))", task_set=make_words(parts=False))
    assert record.grade.score == 1.0
    assert record.turns[0].parts == ("task",)


@pytest.mark.parametrize(
    "answer",
    ["exit(0)", "__import__('os')._exit(0)", "raise_(1)\nwhile 1: pass", "(" * 500, "\0"],
)
def test_a_check_survives_whatever_answer(run_script, make_words, answer):
    class Evaluated(make_words):
        def task(self, split, index):
            from dataclasses import replace

            task = super().task(split, index)
            part = replace(task.parts[0], check="exec(answer)\nassert False")
            return replace(task, parts=(part,))

    script = CODER + "check = task.parts[0].check(coder('x'))\nprint(check.ok)\nsubmit('done')"
    record = run_script(script, lambda _: answer, task_set=Evaluated())
    assert (record.stop, record.log) == (StopReason.SUBMITTED, "False\n")


@pytest.mark.parametrize(
    ("script", "batches", "label"),
    [
        ("submit(split(coder))", [2], "split"),
        ("submit(split(lambda part: best_of(coder, part, 3)))", [6], "split·best_of(3)"),
        ("submit(vote(coder, task, n=3))", [3], "vote(3)"),
        ("submit(vote(coder, task, 2, Agent('judge')))", [2, 1], "vote(2)"),
        ("submit(debate([coder, Agent('b'), Agent('c')], task))", [3, 3], "debate"),
        ("submit(reflect(coder, Agent('critic'), task))", [1, 1, 1], "reflect"),
        ("submit(chain([coder, Agent('b')], task))", [1, 1], "chain"),
        ("submit(route(Agent('router'), {'a': coder, 'b': Agent('b')}, task))", [1, 1], "route"),
        ("submit(parallel([(coder, part) for part in task.parts]))", [2], "parallel"),
        ("submit(split(lambda part: coder(part)))", [2], "split"),
        ("submit(split(lambda p: parallel([lambda: coder.fresh()(p)] * 2)[0]))", [4], "split·parallel"),
        ("submit(coder(task))", [1], "single"),
        ("submit([coder.fresh()(part) for part in task.parts])", [1, 1], "custom"),
    ],
)
def test_each_piece_solves_the_task_with_its_batches_of_questions(run_script, script, batches, label):
    record = run_script(CODER + script)
    assert record.stop is StopReason.SUBMITTED, record.error
    assert record.grade.score == 1.0
    assert [sum(turn.batch == batch for turn in record.turns) for batch in range(len(batches))] == batches
    assert record.calls == sum(batches)
    assert record.label == label


def test_best_of_returns_the_draft_that_passes_the_public_tests(run_script):
    drafts = iter(["wrong", "enots", "wrong too", "no", "nope", "never"])
    record = run_script(CODER + "submit(split(lambda part: best_of(coder, part, 3)))", lambda _: next(drafts))
    assert record.submission.answer == "enots\nno"


def test_vote_takes_the_most_frequent_answer_and_the_earlier_on_a_tie(run_script):
    drafts = iter(["b", "a ", "a", "c"])
    assert (
        run_script(CODER + "submit(vote(coder, task, 4))", lambda _: next(drafts)).submission.answer == "a "
    )
    drafts = iter(["b", "a", "c"])
    assert run_script(CODER + "submit(vote(coder, task, 3))", lambda _: next(drafts)).submission.answer == "b"


def test_a_judge_chooses_by_number(run_script):
    drafts = iter(["first", "second", "Answer 2 is best"])
    record = run_script(CODER + "submit(vote(coder, task, 2, judge=Agent('judge')))", lambda _: next(drafts))
    assert record.submission.answer == "second"
    assert [turn.graded for turn in record.turns] == [True, True, False]


def test_reflection_stops_at_lgtm(run_script):
    answers = iter(["draft", "LGTM"])
    record = run_script(
        CODER + "submit(reflect(coder, Agent('critic'), task, rounds=3))", lambda _: next(answers)
    )
    assert (record.calls, record.submission.answer) == (2, "draft")


def test_a_router_chooses_who_answers(run_script):
    answers = iter(["I say: bob.", "solved"])
    script = "from mas import *\nsubmit(route(Agent('r'), {'amy': Agent('amy'), 'bob': Agent('bob')}, task))"
    assert [turn.name for turn in run_script(script, lambda _: next(answers)).turns] == ["r", "bob"]


def test_parallel_jobs_take_turns_in_list_order_and_raise_after_all_are_done(run_script):
    script = (
        "from mas import *\n"
        "def job(name, rounds):\n"
        "    agent = Agent(name)\n"
        "    for step in range(rounds):\n"
        "        print(name, step)\n"
        "        agent(f'{name}{step}')\n"
        "    if name == 'a': raise KeyError(name)\n"
        "try:\n"
        "    parallel(lambda n=n, r=r: job(n, r) for n, r in [('a', 1), ('b', 3), ('c', 2)])\n"
        "except KeyError as error:\n"
        "    print('caught', error)\n"
    )
    record = run_script(script, lambda _: "ok")
    asked = [(turn.batch, turn.messages[-1]["content"]) for turn in record.turns]
    assert asked == [(0, "a0"), (0, "b0"), (0, "c0"), (1, "b1"), (1, "c1"), (2, "b2")]
    assert record.log.split("\n") == ["a 0", "b 0", "c 0", "b 1", "c 1", "b 2", "caught 'a'", ""]


def test_an_agent_asked_by_several_jobs_answers_each_in_a_copy_of_its_conversation(run_script):
    script = (
        CODER + "coder('first')\nparallel([(coder, 'left'), (coder, 'right')])\ncoder('last')\nsubmit('x')"
    )
    record = run_script(script, lambda _: "ok")
    assert [[m["content"] for m in turn.messages[1:]] for turn in record.turns] == [
        ["first"],
        ["first", "ok", "left"],
        ["first", "ok", "right"],
        ["first", "ok", "last"],
    ]


def test_an_agent_asked_by_one_job_remembers_it(run_script):
    script = "from mas import *\na, b = Agent('a'), Agent('b')\nparallel([(a, 'one'), (b, 'two')])\nb('three')\nsubmit('x')"
    assert [m["content"] for m in run_script(script, lambda _: "ok").turns[-1].messages] == [
        "two",
        "ok",
        "three",
    ]


def test_tools_run_in_the_workspace_and_bad_calls_are_told(run_script):
    answers = iter(
        [
            'Let me see.\n```tool\n{"name": "write_file", "arguments": {"name": "a.txt", "text": "hello"}}\n```',
            '```tool\n{"name": "run", "arguments": {"command": "cat a.txt; exit 3"}}\n```',
            '```tool\n{"name": "read_file", "arguments": {"name": "none.txt"}}\n```',
            '```tool\n{"name": "fly", "arguments": {}}\n```',
            "```tool\nnot json\n```",
            "the end",
        ]
    )
    script = (
        "from mas import *\nsubmit(Agent('worker', 'Work.', tools=('run', 'read_file', 'write_file'))('go'))"
    )
    record = run_script(script, lambda _: next(answers))
    results = [turn.messages[-1]["content"] for turn in record.turns[1:]]
    assert record.submission.answer == "the end"
    assert "write_file" in record.turns[0].messages[0]["content"]
    assert record.turns[1].messages[-1]["role"] == "tool"
    assert results[0] == "written"
    assert results[1] == "exit code 3\nhello"
    assert results[2].startswith("error: there is no file 'none.txt'")
    assert results[3].startswith("error: no tool 'fly'")
    assert results[4].startswith("error: ")


def test_run_gives_code_and_output_and_ends_at_its_timeout(run_script):
    record = run_script(
        "from mas import *\n"
        "a = run('echo out; echo err >&2; exit 2')\n"
        "b = run(['python3', '-c', 'print(6 * 7)'])\n"
        "c = run('sleep 60', timeout=0.2)\n"
        "d = run(['no-such-program'])\n"
        "print([a.code, a.output, b.code, b.output, c.code, d.code])\n"
    )
    assert record.log.strip() == "[2, 'out\\nerr\\n', 0, '42\\n', 124, 127]"


def test_files_are_handed_in_with_and_without_submit(run_script):
    write = "open('notes.txt', 'w').write('done\\n')\n"
    for script in (write, "from mas import *\n" + write + "submit('x')", write + "1/0"):
        record = run_script(script)
        assert record.submission.files == {"notes.txt": b"done\n"}
        assert record.grade.score == 1.0


def test_nothing_runs_after_a_submission(run_script):
    record = run_script("from mas import *\ntry:\n    submit('x')\nfinally:\n    print('after')")
    assert (record.stop, record.log) == (StopReason.SUBMITTED, "")


def test_calls_over_the_budget_raise_in_the_script(run_script):
    script = (
        "from mas import *\nasked = 0\n"
        "try:\n    while True:\n        Agent('a')('x'); asked += 1\n"
        "except BudgetExceeded:\n    submit(str(asked))\n"
    )
    record = run_script(script, lambda _: "ok")
    assert (record.submission.answer, record.calls) == ("12", 12)


def test_of_a_batch_over_the_budget_the_first_questions_are_asked(run_script):
    script = CODER + "submit(vote(coder, task, 20))"
    record = run_script(script)
    assert (record.stop, record.calls) == (StopReason.BUDGET, 12)
    assert "BudgetExceeded" in record.error


def test_a_wrong_tool_name_is_an_error_that_names_the_tools(run_script):
    record = run_script("from mas import *\nAgent('a', tools=['shell'])")
    assert (
        record.error
        == "line 2: ValueError: no tool 'shell'; there are bash, run, view, search, edit, test, submit, read_file, write_file"
    )


def test_the_module_is_python_3_9_and_imports_little():
    import ast

    from mx_envs.episode.module import INSIDE

    tree = ast.parse((INSIDE / "mas.py").read_text(), feature_version=(3, 9))
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"_thread", "json", "os", "sys"}


def test_deeply_nested_answers_are_checked_in_strands_too(run_script, make_words):
    class Evaluated(make_words):
        def task(self, split, index):
            from dataclasses import replace

            task = super().task(split, index)
            return replace(task, parts=tuple(replace(part, check="eval(answer)") for part in task.parts))

    for answer in (
        "-" * 399 + "1",
        "not " * 99 + "1",
        "(" * 199 + ")" * 199,
        "1" + "+1" * 199,
        "a" + ".b" * 150,
    ):
        record = run_script(
            CODER + "submit(split(lambda part: best_of(coder, part, 2)))",
            lambda _, a=answer: a,
            task_set=Evaluated(),
        )
        assert record.stop is StopReason.SUBMITTED, (answer, record.error)


def test_more_jobs_than_threads_is_an_error_that_a_script_can_catch(run_script):
    script = (
        "from mas import *\n"
        "try:\n    parallel([lambda: Agent('a')('x')] * 500)\n"
        "except RuntimeError as error:\n    print(error)\n"
        "submit(Agent('b')('y'))"
    )
    record = run_script(script, lambda _: "ok")
    assert (record.log, record.submission.answer, record.calls) == ("can't start new thread\n", "ok", 1)


def test_a_job_of_parallel_may_submit(run_script):
    script = (
        "from mas import *\nparallel([lambda: submit('from a job'), lambda: print('never')])\nprint('never')"
    )
    record = run_script(script)
    assert (record.submission.answer, record.log) == ("from a job", "")


def test_an_object_in_place_of_a_text_says_nothing_that_differs_from_run_to_run(run_script):
    script = CODER + "coder(coder)\ncoder.fresh()(lambda: 0)\nsubmit([object(), coder])"
    records = [run_script(script, lambda _: "ok") for _ in range(2)]
    assert records[0].to_json() == records[1].to_json()
    assert [turn.messages[-1]["content"] for turn in records[0].turns] == [
        "Agent('coder')",
        "<function <lambda>>",
    ]
    assert records[0].submission.answer == "<object object>\nAgent('coder')"
