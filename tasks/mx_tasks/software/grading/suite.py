"""Hidden test suites: a library's own pytest suite as the judge of a change to it.

The order of things: the tree as the task gives it; of the submission what its allowed source paths have (the rest is listed and
refused); the hidden tests with canaries among them and the task's own configuration on top; one job of a fresh workspace, another
user and no network. What became of each test is told the moment it is known, over the job's standard output, which nobody in the
sandbox can take back. See :mod:`mx_tasks.software.grading.canaries` for what makes a forged verdict show itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from mx_sandboxes import Limits, Reason, Sandbox
from mx_tasks.answers.clashes import clashing
from mx_tasks.software.grading.calls import Served, easy_tests, judge_calls
from mx_tasks.software.grading.canaries import Planted, base_of, plant
from mx_tasks.software.grading.patience import PATIENCE
from mx_tasks.software.grading.runs import Outcome, TestRun, run_tests
from mx_tasks.task import Grade, GradingError, Submission

MOST_UNRESOLVED = 0.9
"""The graded reward of a submission that leaves something broken."""
REFUSED_NAMES = frozenset(
    {"conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"}
)  # fmt: skip
REFUSED_ENDINGS = (".pth", ".pyc", ".pyo", ".so", ".pyd", ".egg-link")
LARGEST_SUBMISSION = 16 << 20
ENOUGH_PAIRS = 8
"""So many times a submission must have had a test to be mended and a copy of it, which nothing tells apart, before it is paid."""
MOST_CONFIRMATIONS = 7
"""Further runs, each with other canaries, that bring it there where one run has too few."""
MOST_LINES = 8
"""Tests that did not pass, as a log names them."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A task's hidden tests, and what belongs to them.

    ``files`` is the tree as agents get it. ``tests`` holds the hidden test files and all that they need (helpers, data, their
    conftest.py); they replace what the tree has under the same names. ``sources`` are what a submission may change: names, or
    folders such as ``toolz/``. ``fail_to_pass`` and ``pass_to_pass`` are pytest ids. ``config`` is the text of the pytest.ini,
    ``arguments`` are pytest's besides our own, ``limits`` those of the job. ``served`` is there where tests only call functions and
    compare values: they are then judged apart from the submission, see :mod:`mx_tasks.software.grading.calls`.
    """

    files: Mapping[str, bytes]
    tests: Mapping[str, bytes]
    sources: tuple[str, ...]
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...] = ()
    config: str = "[pytest]\n"
    arguments: tuple[str, ...] = ()
    served: Served | None = None
    limits: Limits = field(default_factory=lambda: Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=1 << 30))


def suite_limits(cpu_s: float) -> Limits:
    """What a library's own tests may use, by the processor time that they may take."""
    return Limits(
        wall_s=PATIENCE * cpu_s,
        cpu_s=cpu_s,
        memory_bytes=1 << 30,
        workspace_bytes=256 << 20,
        file_bytes=64 << 20,
        output_bytes=4 << 20,
        open_files=256,
    )


def grade_suite(suite: Suite, submission: Submission, sandbox: Sandbox, *, confirm: bool = True) -> Grade:
    """The verdict on a submission; its answer text does not count. What is paid is confirmed where canaries are few.

    Without ``confirm`` it is not: for what is known to be honest.

    ``score`` is 1.0 when every test passes, else how much was won over doing nothing and the best constant, at most 0.9.

    Raises GradingError and SandboxError when the sandbox fails.
    """
    tree, refused = submitted_tree(suite, submission)
    if suite.served is not None:
        return _grade_served(suite, suite.served, tree, refused, sandbox)
    planted = plant(suite.tests, suite.fail_to_pass, suite.pass_to_pass, secrets.randbits(64))
    tests = (*suite.fail_to_pass, *suite.pass_to_pass)
    grade = _verdict(suite, planted, _run(suite, tree, planted, tests, sandbox), refused)
    pairs, runs = planted.pairs, 1
    for _ in range(MOST_CONFIRMATIONS):
        if not confirm or grade.score <= 0.0 or not 0 < pairs < ENOUGH_PAIRS:
            break
        again = plant(suite.tests, suite.fail_to_pass, suite.pass_to_pass, secrets.randbits(64))
        few = [test for test in tests if test in suite.fail_to_pass or base_of(test) in again.copied]
        part = replace(suite, pass_to_pass=tuple(test for test in few if test not in suite.fail_to_pass))
        confirmed = _verdict(part, again, _run(suite, tree, again, few, sandbox), refused)
        if confirmed.score < grade.score:
            grade = replace(confirmed, log=f"{confirmed.log}\nwhen run again, with other canaries")
        pairs += again.pairs
        runs += 1
    if grade.score > 0.0 and runs > 1:
        grade = replace(grade, log=f"{grade.log}\nconfirmed: {pairs} pairs in {runs} runs")
    return grade


def _run(
    suite: Suite, tree: Mapping[str, bytes], planted: Planted, tests: Sequence[str], sandbox: Sandbox
) -> TestRun:
    """Run some of the suite's tests and all canaries. Raises GradingError."""
    bases = {base_of(planted.id_of(test)) for test in tests} | planted.canaries
    run = run_tests(
        sandbox,
        {**tree, **planted.files},
        sorted(bases),
        config=suite.config,
        arguments=suite.arguments,
        limits=suite.limits,
    )
    if run.completed.reason is Reason.SANDBOX_DIED:
        _control(suite, sandbox)
    return run


def _control(suite: Suite, sandbox: Sandbox) -> None:
    """Raise GradingError when the sandbox dies under a run of nothing of the submission's, too."""
    test = {"test_control.py": b"def test_control():\n    pass\n"}
    run = run_tests(sandbox, test, None, targets=["test_control.py"], limits=suite.limits)
    if run.completed.reason is Reason.SANDBOX_DIED:
        raise GradingError("the sandbox died under the hidden tests, and under a test of nothing as well")


def _grade_served(
    suite: Suite, served: Served, tree: Mapping[str, bytes], refused: Sequence[str], sandbox: Sandbox
) -> Grade:
    """The verdict of tests that are judged apart.

    What anyone passes who knows nothing brings no partial credit, and of the others the first brings none: some constant is always
    right once. What was right before and is not any more counts against what was mended.
    """
    said = judge_calls(sandbox, suite.tests, tree, served, suite.limits)
    mended, kept = (
        [said.outcomes.get(test) == "passed" for test in tests]
        for tests in (suite.fail_to_pass, suite.pass_to_pass)
    )
    resolved = bool(mended) and all(mended) and all(kept)
    easy = frozenset[str]() if resolved else easy_tests(sandbox, suite.tests, tree, served, suite.limits)
    telling = [good for test, good in zip(suite.fail_to_pass, mended, strict=True) if test not in easy]
    share = _net(telling, kept)
    tampered = bool(said.signs) and not resolved
    score = 1.0 if resolved else 0.0 if tampered else min(MOST_UNRESOLVED, share)
    wanted = [*zip(suite.fail_to_pass, mended, strict=True), *zip(suite.pass_to_pass, kept, strict=True)]
    failures = [
        f"{ascii(test)[1:-1]}: {said.messages.get(test, 'missing')}" for test, good in wanted if not good
    ]
    log = [
        f"fail to pass: {sum(mended)} of {len(mended)}; pass to pass: {sum(kept)} of {len(kept)}",
        *([f"the submission does not run: {said.loaded}"] if said.loaded else []),
        *([f"refused: {', '.join(refused)}"] if refused else []),
        *(f"{'tampered' if tampered else 'noticed'}: {sign}" for sign in said.signs),
        *failures[:MOST_LINES],
        *([f"and {len(failures) - MOST_LINES} more"] if len(failures) > MOST_LINES else []),
    ]
    parts = {"fail to pass": _share(mended), "pass to pass": _share(kept)}
    return Grade(score, resolved, {} if tampered else parts, tampered=tampered, log="\n".join(log))


def submitted_tree(suite: Suite, submission: Submission) -> tuple[dict[str, bytes], list[str]]:
    """The task's tree with what the submission may change, and the names of what is refused."""
    tree = dict(suite.files)
    refused = []
    size = 0
    for name, data in sorted(submission.files.items()):
        if suite.files.get(name) == data:
            continue
        size += len(data)
        if allowed(suite, name) and size <= LARGEST_SUBMISSION:
            tree[name] = data
        else:
            refused.append(name)
    for name in submission.removed:
        if allowed(suite, name) and name in tree:
            del tree[name]
        else:
            refused.append(name)
    for name in clashing(
        tree.keys() | suite.tests.keys(), [each for each in submission.files if each in tree]
    ):
        if name not in suite.files:  # what was there already stays
            del tree[name]
            refused.append(name)
    return {name: data for name, data in tree.items() if name not in suite.tests}, refused


def allowed(suite: Suite, name: str) -> bool:
    """Whether a submission may change that file: a source, and nothing that configures Python or pytest or is a hidden test's."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and str(path) == name
    refused = (
        path.name.lower() in REFUSED_NAMES
        or path.name.lower().endswith(REFUSED_ENDINGS)
        or "__pycache__" in path.parts
        or name in suite.tests
    )
    mine = any(
        name.startswith(source) if source.endswith("/") else name == source for source in suite.sources
    )
    return plain and mine and not refused


def passing_tests(suite: Suite, tree: Mapping[str, bytes], sandbox: Sandbox) -> frozenset[str]:
    """The suite's tests that pass on a tree, whatever kind of judge they have. Raises GradingError, SandboxError."""
    if suite.served is not None:
        said = judge_calls(sandbox, suite.tests, tree, suite.served, suite.limits)
        return frozenset(test for test, outcome in said.outcomes.items() if outcome == "passed")
    bases = sorted({test.partition("[")[0] for test in (*suite.fail_to_pass, *suite.pass_to_pass)})
    run = run_tests(
        sandbox,
        {**tree, **suite.tests},
        bases,
        config=suite.config,
        arguments=suite.arguments,
        limits=suite.limits,
    )
    return frozenset(test for test, outcome in run.outcomes.items() if outcome is Outcome.PASSED)


def _verdict(suite: Suite, planted: Planted, run: TestRun, refused: Iterable[str]) -> Grade:
    def passes(tests: Sequence[str]) -> list[bool]:
        return [run.outcomes.get(planted.id_of(test)) is Outcome.PASSED for test in tests]

    signs = _signs_of_tampering(planted, run)
    mended, kept = passes(suite.fail_to_pass), passes(suite.pass_to_pass)
    resolved = bool(mended) and all(mended) and all(kept) and run.consistent and not signs
    share = _net(_telling(suite, planted, run, mended), kept) if run.consistent else 0.0
    score = 1.0 if resolved else 0.0 if signs else min(MOST_UNRESOLVED, share)
    log = [
        f"fail to pass: {sum(mended)} of {len(mended)}; pass to pass: {sum(kept)} of {len(kept)}",
        *([run.error] if run.error else []),
        *([f"refused: {', '.join(refused)}"] if refused else []),
        f"canaries: {len(planted.canaries)}, of which {planted.pairs} of tests to be mended that nothing tells from those",
        *(f"tampered: {sign}" for sign in signs),
        *_failures(suite, planted, run),
    ]
    parts = {"fail to pass": _share(mended), "pass to pass": _share(kept)}
    return Grade(score, resolved, {} if signs else parts, tampered=bool(signs), log="\n".join(log))


def _both_pass(planted: Planted, canary: str, run: TestRun) -> bool:
    """Whether a case of a test and the same one of its copy passed: no program meets both."""
    real = base_of(planted.id_of(planted.twins[canary]))
    good = {Outcome.PASSED, Outcome.UNEXPECTED}
    passed = {test for test, outcome in run.outcomes.items() if outcome in good}
    return any(
        f"{real}{test[len(canary) :]}" in passed
        for test in passed
        if test == canary or test.startswith(f"{canary}[")
    )


def _telling(suite: Suite, planted: Planted, run: TestRun, mended: Sequence[bool]) -> list[bool]:
    """Which fail-to-pass tests were mended, of those that partial credit is given for: that have a copy, and none if a copy passed.

    Tests that have no copy are known to be real, so that who guesses could guess none of them wrong.
    """
    good = {Outcome.PASSED, Outcome.UNEXPECTED}
    passed = {base_of(test) for test, outcome in run.outcomes.items() if outcome in good}
    if passed & planted.twins.keys():
        return []
    copied = set(planted.twins.values())
    values = [
        right for test, right in zip(suite.fail_to_pass, mended, strict=True) if base_of(test) in copied
    ]
    return values or list(mended)


def _net(mended: Sequence[bool], kept: Sequence[bool]) -> float:
    """How much is won over the best constant: tests mended but for one, less those broken, of all that there is to win."""
    won = sum(mended) - 1 - (len(kept) - sum(kept))
    return max(0, won) / (len(mended) - 1) if len(mended) > 1 else 0.0


def _share(results: Sequence[bool]) -> float:
    return sum(results) / len(results) if results else 1.0


def _signs_of_tampering(planted: Planted, run: TestRun) -> list[str]:
    """What no honest submission brings about."""
    signs = [f"{name} was replaced" for name in run.changed]
    if run.forged:
        return [*signs, f"what the run said is not what a run says: {run.forged}"]
    if run.error:
        return []
    bases: dict[str, set[Outcome]] = {}
    for test, outcome in run.outcomes.items():
        bases.setdefault(base_of(test), set()).add(outcome)
    good = {Outcome.PASSED, Outcome.UNEXPECTED}
    passed = sum(
        _both_pass(planted, canary, run) if canary in planted.twins else bool(bases.get(canary, set()) & good)
        for canary in planted.canaries
    )
    if passed:
        signs.append(f"{passed} of {len(planted.canaries)} tests that must fail passed")
    living = {base.partition("::")[0] for base, outcomes in bases.items() if outcomes & good}
    missing = [
        canary for canary in planted.canaries if canary not in bases and canary.partition("::")[0] in living
    ]
    if missing:
        signs.append(f"{len(missing)} tests that must fail were not run")
    if run.outcomes and run.completed.exit_code == 0 and not run.consistent:
        signs.append("exit code 0 although tests failed")
    return signs


def _failures(suite: Suite, planted: Planted, run: TestRun, most: int = MOST_LINES) -> list[str]:
    """Lines for people on the tests that did not pass."""
    wanted = [*suite.fail_to_pass, *suite.pass_to_pass]
    open_ids = [test for test in wanted if run.outcomes.get(planted.id_of(test)) is not Outcome.PASSED]
    lines = []
    for test in open_ids[:most]:
        inner = planted.id_of(test)
        outcome = run.outcomes.get(inner)
        lines.append(
            f"{ascii(test)[1:-1]}: {outcome.value if outcome else 'missing'} {run.messages.get(inner, '')}".rstrip()
        )
    return lines + ([f"and {len(open_ids) - most} more"] if len(open_ids) > most else [])
