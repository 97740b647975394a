"""Release pairs: the bug is what a later release mends, the judge is that release's own tests.

``buggy`` is the earlier release without its tests. Each hunk of the change, or group of hunks that need one another, also makes a
task of its own: the later release with that group reverted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from mx_sandboxes import Sandbox
from mx_tasks.software.sources.archives import Tree
from mx_tasks.software.sources.errors import SourceError
from mx_tasks.software.sources.hunks import Hunk, groups, hunks_between, revert
from mx_tasks.software.sources.made import MadeTask, shape_of
from mx_tasks.software.sources.preparing import Prepared, Report, leaks, prepare, shared_copies
from mx_tasks.software.sources.releases import fetch_release
from mx_tasks.software.sources.statements import (
    change_notes,
    find_examples,
    new_names,
    symptoms,
    write_statement,
)
from mx_tasks.software.sources.suites import HangError, Run, Suite, run_suite
from mx_tasks.software.sources.trees import Library, licence, take_apart
from mx_tasks.task import Split

REPEATS = 3
AT_ONCE = 2
MOST_BROKEN = 0.5


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What tests do on a broken and on the mended tree, each run three times."""

    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    flaky: int
    run: Run


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two releases, the later one's suite, and what passes on the later one."""

    name: str
    old: Library
    new: Library
    prepared: Prepared
    passing: frozenset[str]
    copies: Tree
    sandbox: Sandbox
    split: Split


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
) -> list[MadeTask]:
    """Make the tasks of a pair of releases; those that ``keep`` turns down are left out.

    Raises SourceError when no task can be made, with the reason.
    """
    report(f"fetching {name} {old} and {new}")
    libraries = [
        take_apart(name, r.version, r.tree) for r in (fetch_release(name, v, cache) for v in (old, new))
    ]
    before, after = libraries
    if before.code == after.code:
        raise SourceError(f"{name}: the code of {old} and {new} is the same")
    prepared = prepare(after, sandbox, cache, report)
    passing = _always_passing(prepared, sandbox, report)
    pair = _Pair(name, before, after, prepared, passing, shared_copies(after, sandbox), sandbox, split)
    if _leaked(pair, hunks_between(before.code, after.code)):
        raise SourceError(
            f"{name}: the sandbox's own Python has {name} with the change of {new}, where it could be read"
        )
    whole = _whole(pair, report)
    made = [whole] if whole is not None and keep(whole) else []
    made += [task for task in _parts(pair, report, known=whole) if keep(task)]
    if not made:
        raise SourceError(
            f"{name} {old} to {new}: no test fails before and passes after the change, three times each"
        )
    return made


def _always_passing(prepared: Prepared, sandbox: Sandbox, report: Report) -> frozenset[str]:
    report(f"running the tests of {prepared.library.name} {prepared.library.version} {REPEATS} times")
    passing = set(prepared.run.passed)
    for seed in range(1, REPEATS):
        passing &= run_suite(sandbox, prepared.library.source, prepared.suite, hash_seed=seed).passed
    if not passing:
        raise SourceError(
            f"{prepared.library.name}: no test passes {REPEATS} times out of {REPEATS}; the suite is flaky"
        )
    return frozenset(passing)


def compare(
    tree: Tree, suite: Suite, passing: frozenset[str], sandbox: Sandbox, *, only: Sequence[str] | None = None
) -> Verdicts | None:
    """What of the ``passing`` tests always fails on ``tree``; None when nothing does. Raises HangError."""
    first = run_suite(sandbox, tree, suite, only=only)
    failing = passing - first.passed
    if not failing:
        return None
    kept = passing & first.passed
    for seed in range(1, REPEATS):
        run = run_suite(sandbox, tree, suite, only=only, hash_seed=seed)
        failing -= run.passed
        kept &= run.passed
    flaky = len(passing) - len(failing) - len(kept)
    return Verdicts(tuple(sorted(failing)), tuple(sorted(kept)), flaky, first) if failing else None


def _whole(pair: _Pair, report: Report) -> MadeTask | None:
    """The task of the whole pair, None where the later tests say nothing useful about the earlier code."""
    report(f"running them on {pair.old.version} {REPEATS} times")
    try:
        verdicts = compare(pair.old.source, pair.prepared.suite, pair.passing, pair.sandbox)
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
    gold = _changed(pair.old, pair.new)
    return _task(
        pair,
        f"{pair.name}-{pair.new.version}",
        tree=pair.old.source,
        gold=gold,
        verdicts=Verdicts(tuple(stated), verdicts.pass_to_pass, verdicts.flaky, verdicts.run),
        notes=change_notes(pair.new.source, pair.new.version),
        interface=new_names(pair.old.code, pair.new.code),
        one_bug=False,
    )


def _parts(pair: _Pair, report: Report, *, known: MadeTask | None) -> list[MadeTask]:
    """The tasks of single groups of hunks."""
    found: list[MadeTask] = []
    candidates = groups(pair.old.code, pair.new.code)
    seen: set[tuple[object, ...]] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = pool.map(lambda group: _part(pair, group), candidates)
        parts = []
        for number, part in enumerate(tried, 1):
            report(f"reverted {number} of {len(candidates)} groups of the change")
            parts.append(part)
    for task in parts:
        if task is None or (task.fail_to_pass, *sorted(task.gold)) in seen:
            continue
        if known is not None and len(candidates) == 1 and set(task.fail_to_pass) == set(known.fail_to_pass):
            continue  # the whole change is this one group
        seen.add((task.fail_to_pass, *sorted(task.gold)))
        found.append(replace(task, id=f"{task.id}-{len(found) + 1}"))
    return found


def _leaked(pair: _Pair, hunks: Sequence[Hunk]) -> bool:
    """Whether the sandbox has a copy of the library in which those hunks can be read."""
    telling = [hunk for hunk in hunks if any(line.strip() for line in hunk.new)]
    known = [leaks(pair.copies, hunk.file, hunk.new) for hunk in telling]
    return bool(telling) and (
        all(known) or any(k for k, hunk in zip(known, telling, strict=True) if len(hunk.new) > 1)
    )


def _part(pair: _Pair, group: Sequence[Hunk]) -> MadeTask | None:
    if _leaked(pair, group):
        return None
    reverted = revert(pair.new.source, group)
    tree = {**pair.new.source, **reverted}
    try:
        verdicts = compare(tree, pair.prepared.suite, pair.passing, pair.sandbox)
    except SourceError:
        return None
    if verdicts is None or len(verdicts.fail_to_pass) > MOST_BROKEN * len(pair.passing):
        return None
    gold: dict[str, bytes | None] = {name: pair.new.source[name] for name in reverted}
    return _task(pair, f"{pair.name}-{pair.new.version}", tree=tree, gold=gold, verdicts=verdicts)


def _changed(old: Library, new: Library) -> dict[str, bytes | None]:
    """The library's files that the later release has otherwise."""
    inside = tuple(f"{place}/" for place in {*old.places, *new.places})
    names = {
        name
        for name in old.source.keys() | new.source.keys()
        if (name.startswith(inside) or old.owns(name) or new.owns(name)) and ".egg-info" not in name
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
        python=pair.prepared.python,
        origin=f"{pair.name} {pair.old.version} to {pair.new.version}, from the package index",
        licence=licence(pair.new),
        shape=shape_of("library", pair.name),
        split=pair.split,
        difficulty=min(5, 2 + len(gold) // 2 + size // 20 + (not one_bug)),
        wall_s=max(30.0, 10 * pair.prepared.run.seconds),
        about={"library": pair.name, "flaky": verdicts.flaky},
    )


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text)
