"""Release pairs: the bug is what a later release mends, the judge is that release's own tests.

``buggy`` is the earlier release without its tests. Each hunk of the change, or group of hunks that need one another, also makes a
task of its own: the later release with that group reverted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from mx_sandboxes import Sandbox
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.hunks import Hunk, groups, hunks_between, revert
from mx_tasks.software.generate.preparing import Prepared, Report, leaks, prepare, shared_copies
from mx_tasks.software.generate.releases import fetch_release
from mx_tasks.software.generate.statements import (
    change_notes,
    find_examples,
    new_names,
    symptoms,
    write_statement,
)
from mx_tasks.software.generate.suites import (
    BUDGET_S,
    HangError,
    Run,
    coverage,
    grade_seconds,
    repeat_suite,
    representative,
    run_suite,
)
from mx_tasks.software.generate.trees import Library, licence, take_apart
from mx_tasks.software.made import MadeTask, shape_of
from mx_tasks.task import Split

REPEATS = 3
AT_ONCE = 2
MOST_BROKEN = 0.5
WHOLE = "whole"
"""The part of a pair that is all of it, in the journal."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What tests do on a broken and on the mended tree, each run three times."""

    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    flaky: int
    run: Run


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two releases, the later one's suite, what the earlier one fails, and what may judge tasks: it passes on the later one.

    ``failing`` is None where the suite does not end on the earlier release, so that any test may turn out to fail.
    """

    name: str
    old: Library
    new: Library
    prepared: Prepared
    failing: frozenset[str] | None
    judges: frozenset[str]
    before: Run | None
    copies: Tree
    sandbox: Sandbox
    split: Split
    chosen: frozenset[str]


def make_release_pair(
    name: str,
    old: str,
    new: str,
    sandbox: Sandbox,
    cache: Path,
    report: Report,
    *,
    split: Split = "test",
    keep: Callable[[MadeTask], bool],
    tried: MutableMapping[str, str] | None = None,
) -> Iterator[MadeTask]:
    """Make the tasks of a pair of releases, the whole pair's first; those that ``keep`` turns down are left out.

    ``tried`` remembers what became of each part of the change (the id of its task and its tests, or an empty text), so that a run
    that was broken off goes on; the tasks of such parts are not given again. Raises SourceError when there is no task at all.
    """
    report(f"fetching {name} {old} and {new}")
    before, after = (
        take_apart(name, r.version, r.tree) for r in (fetch_release(name, v, cache) for v in (old, new))
    )
    if before.code == after.code:
        raise SourceError(f"{name}: the code of {old} and {new} is the same")
    pair = _survey(before, after, sandbox, cache, report, split)
    if _leaked(pair, hunks_between(before.code, after.code)):
        raise SourceError(
            f"{name}: the sandbox's own Python has {name} with the change of {new}, where it could be read"
        )
    known = {} if tried is None else tried
    found = 0
    for task in _tasks(pair, known, report):
        found += 1
        good = keep(task)
        known[str(task.about["part"])] = " ".join([task.id, _mark(task)]) if good else ""
        if good:
            yield task
    if not found and not any(known.values()):
        raise SourceError(f"{name} {old} to {new}: {_why_none(pair)}")


def _why_none(pair: _Pair) -> str:
    if not pair.judges:
        return f"no test passes {REPEATS} times out of {REPEATS}; the suite is flaky"
    if pair.failing:
        some = ", ".join(sorted(pair.failing)[:2])
        return f"{len(pair.failing)} tests fail before the change ({some}), but none does so {REPEATS} times for what was mended"
    return f"no test fails before and passes after the change, {REPEATS} times each"


def _survey(old: Library, new: Library, sandbox: Sandbox, cache: Path, report: Report, split: Split) -> _Pair:
    """Run the later release's suite on both; then those tests again, on the later one, that may judge tasks. Raises SourceError."""
    prepared = prepare(new, sandbox, cache, report)
    report(f"running the tests of {new.name} {new.version} on {old.version}")
    before: Run | None = None
    try:
        before = run_suite(sandbox, old.source, prepared.suite)
    except HangError as error:
        report(f"{new.name} {old.version}: {error}; no task of the whole pair")
    good = prepared.run.passed
    failing = None if before is None else good - before.passed
    chosen = judges = representative(prepared.run, good, failing or (), f"{new.name} {new.version}")
    if failing is None or failing:
        report(f"running {len(judges)} of the tests of {new.name} {new.version} {REPEATS - 1} times more")
        for run in repeat_suite(sandbox, new.source, prepared.suite, judges, prepared.run, range(1, REPEATS)):
            judges &= run.passed
    if len(chosen) < len(good):
        report(
            f"{len(good) - len(chosen)} of {len(good)} tests that pass are left out: "
            f"the others take {BUDGET_S:g} s, which is what a grade may take"
        )
    copies = shared_copies(new, sandbox)
    failing = None if failing is None else failing & judges
    return _Pair(new.name, old, new, prepared, failing, judges, before, copies, sandbox, split, chosen)


def compare(pair: _Pair, tree: Tree, first: Run) -> Verdicts | None:
    """What of the judging tests always fails on ``tree``, after a ``first`` run; None when nothing does. Raises HangError."""
    failing, kept = pair.judges - first.passed, pair.judges & first.passed
    if not failing:
        return None
    for run in repeat_suite(
        pair.sandbox, tree, pair.prepared.suite, pair.judges, pair.prepared.run, range(1, REPEATS)
    ):
        failing -= run.passed
        kept &= run.passed
    flaky = len(pair.judges) - len(failing) - len(kept)
    return Verdicts(tuple(sorted(failing)), tuple(sorted(kept)), flaky, first) if failing else None


def _tasks(pair: _Pair, known: Mapping[str, str], report: Report) -> Iterator[MadeTask]:
    """The tasks of the whole pair and of its parts that are not ``known``."""
    if pair.failing is not None and not pair.failing:
        return
    whole = _whole(pair, report)
    if whole is not None and WHOLE not in known:
        yield whole
    seen = {mark for value in known.values() for mark in value.split()[1:]}
    number = sum(1 for part, value in known.items() if value and part != WHOLE)
    candidates = groups(pair.old.code, pair.new.code)
    waiting = [group for group in candidates if _key(group) not in known]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(waiting), 2 * AT_ONCE):
            for task in pool.map(lambda group: _part(pair, group), waiting[start : start + 2 * AT_ONCE]):
                if task is None or _mark(task) in seen:
                    continue
                if whole is not None and len(candidates) == 1 and task.fail_to_pass == whole.fail_to_pass:
                    continue  # the whole change is this one group
                seen.add(_mark(task))
                number += 1
                yield replace(task, id=f"{task.id}-{number}")
            done = len(candidates) - len(waiting) + min(start + 2 * AT_ONCE, len(waiting))
            report(
                f"{pair.name} {pair.new.version}: reverted {done} of {len(candidates)} groups of the change"
            )


def _key(group: Sequence[Hunk]) -> str:
    """A group of hunks in the journal."""
    return shape_of(*(f"{hunk.file}:{hunk.start}" for hunk in group))


def _mark(task: MadeTask) -> str:
    """What two tasks of a pair may not share."""
    return shape_of(*task.fail_to_pass, "", *sorted(task.gold))


def _whole(pair: _Pair, report: Report) -> MadeTask | None:
    """The task of the whole pair, None where the later tests say nothing useful about the earlier code."""
    if pair.before is None:
        return None
    report(f"running them on {pair.old.version} {REPEATS - 1} times more")
    try:
        verdicts = compare(pair, pair.old.source, pair.before)
    except HangError as error:
        report(f"{pair.name} {pair.old.version}: {error}; no task of the whole pair")
        return None
    if verdicts is None:
        return None
    broken = {place for place, _ in verdicts.run.errors}
    stated = [
        test
        for test in verdicts.fail_to_pass
        if test.partition("::")[0] not in broken
        and pair.new.version not in verdicts.run.messages.get(test, "")
    ]
    if not stated:
        report(
            f"{pair.name} {pair.old.version}: the new tests need names that it does not have; no task of the whole pair"
        )
        return None
    return _task(
        pair,
        f"{pair.name}-{pair.new.version}",
        tree=pair.old.source,
        gold=_changed(pair.old, pair.new),
        verdicts=Verdicts(tuple(stated), verdicts.pass_to_pass, verdicts.flaky, verdicts.run),
        part=WHOLE,
        notes=change_notes(pair.new.source, pair.new.version),
        interface=new_names(pair.old.code, pair.new.code),
        one_bug=False,
    )


def _leaked(pair: _Pair, hunks: Sequence[Hunk]) -> bool:
    """Whether the sandbox has a copy of the library in which those hunks can be read."""
    telling = [hunk for hunk in hunks if any(line.strip() for line in hunk.new)]
    known = [leaks(pair.copies, hunk.file, hunk.new) for hunk in telling]
    return bool(telling) and (
        all(known) or any(k for k, hunk in zip(known, telling, strict=True) if len(hunk.new) > 1)
    )


def _part(pair: _Pair, group: Sequence[Hunk]) -> MadeTask | None:
    """The task of one group of hunks, undone in the later release; None where that shows in no test of what was mended."""
    if _leaked(pair, group):
        return None
    reverted = revert(pair.new.source, group)
    tree = {**pair.new.source, **reverted}
    suite, sandbox = pair.prepared.suite, pair.sandbox
    try:
        if pair.failing is not None:
            quick = repeat_suite(sandbox, tree, suite, pair.failing, pair.prepared.run, [0])[0]
            if pair.failing <= quick.passed:
                return None
        first = repeat_suite(sandbox, tree, suite, pair.judges, pair.prepared.run, [0])[0]
        verdicts = compare(pair, tree, first)
    except SourceError:
        return None  # half of a change that makes the suite hang or break down shows nothing
    if verdicts is None or len(verdicts.fail_to_pass) > MOST_BROKEN * len(pair.judges):
        return None
    gold: dict[str, bytes | None] = {name: pair.new.source[name] for name in reverted}
    task_id = f"{pair.name}-{pair.new.version}"
    return _task(pair, task_id, tree=tree, gold=gold, verdicts=verdicts, part=_key(group))


def _changed(old: Library, new: Library) -> dict[str, bytes | None]:
    """The library's files that the later release has otherwise."""
    inside = tuple(f"{place}/" for place in {*old.places, *new.places})
    names = {
        name
        for name in old.source.keys() | new.source.keys()
        if (name.startswith(inside) or old.owns(name) or new.owns(name))
    }
    return {
        name: new.source.get(name) for name in sorted(names) if old.source.get(name) != new.source.get(name)
    }


def _task(
    pair: _Pair,
    task_id: str,
    *,
    tree: Tree,
    gold: dict[str, bytes | None],
    verdicts: Verdicts,
    part: str,
    notes: str = "",
    interface: Sequence[str] = (),
    one_bug: bool = True,
) -> MadeTask:
    suite = pair.prepared.suite
    mended = {name: data for name, data in {**tree, **gold}.items() if data is not None}
    examples = find_examples(
        pair.sandbox, tree, mended, suite, verdicts.fail_to_pass, {**pair.prepared.run.files}
    )
    messages = [
        verdicts.run.messages[test] for test in verdicts.fail_to_pass if test in verdicts.run.messages
    ]
    places = sorted({*pair.old.places, *pair.new.places}) if not one_bug else pair.new.places
    size = sum(
        abs(len((data or b"").splitlines()) - len(tree.get(name, b"").splitlines()))
        for name, data in gold.items()
    )
    return MadeTask(
        id=_plain(task_id),
        kind="release-pair",
        title=f"Mend {pair.name}: what {pair.new.version} mended",
        statement=write_statement(
            pair.name,
            places,
            examples=examples,
            seen=symptoms(messages),
            notes=notes,
            interface=interface,
            one_bug=one_bug,
        ),
        tree={**suite.deps, **tree},
        tests=suite.files,
        gold=gold,
        sources=tuple(place if place.endswith(".py") else f"{place}/" for place in places),
        fail_to_pass=verdicts.fail_to_pass,
        pass_to_pass=verdicts.pass_to_pass,
        config=suite.config.decode(),
        arguments=suite.mode,
        python=pair.prepared.python,
        origin=f"{pair.name} {pair.old.version} to {pair.new.version}, from the package index",
        licence=licence(pair.new),
        shape=shape_of("library", pair.name),
        split=pair.split,
        difficulty=min(5, 2 + len(gold) // 2 + size // 20 + (not one_bug)),
        wall_s=grade_seconds(pair.prepared.run),
        about={
            "library": pair.name,
            "flaky": verdicts.flaky,
            "part": part,
            **coverage(pair.prepared.run.passed, pair.chosen),
        },
    )


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text)
