"""Mutations: a bug planted by a seeded operator in a library that has its own tests, which then judge."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from mx_sandboxes import Sandbox
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.operators import Site, sites
from mx_tasks.software.generate.preparing import Prepared, Report, leaks, prepare, shared_copies
from mx_tasks.software.generate.releases import fetch_release, latest_version
from mx_tasks.software.generate.statements import find_examples, symptoms, write_statement
from mx_tasks.software.generate.suites import coverage, grade_seconds, representative, run_suite
from mx_tasks.software.generate.trees import Library, licence, same_code, take_apart
from mx_tasks.software.made import MadeTask, shape_of
from mx_tasks.task import Split

MOST_BROKEN = 0.5
MOST_TRIES = 12
"""Sites that are tried for each task wanted before giving up."""
AT_ONCE = 2
MOST_JUDGES = 400


@dataclass(frozen=True, slots=True)
class Ground:
    """A library whose tests pass, and which of them reach which function."""

    prepared: Prepared
    passing: frozenset[str]
    reached_by: dict[tuple[str, int], frozenset[str]]
    seconds: float
    copies: Tree


def load_library(name: str, cache: Path) -> Library:
    """The latest release of a library (``name``), another (``name==version``), or an archive or folder (its path).

    Without a reachable index, the library that is installed beside mx-envs. Raises SourceError.
    """
    if Path(name).exists() and ("/" in name or name.endswith((".tar.gz", ".zip", ".whl"))):
        path = Path(name).resolve()
        label = path.name.partition("-")[0]
        release = fetch_release(label, str(path), cache)
        return take_apart(label, release.version, release.tree)
    word, _, version = name.partition("==")
    try:
        release = fetch_release(word, version or latest_version(word), cache)
        return take_apart(word, release.version, release.tree)
    except SourceError as error:
        if version or "cannot be reached" not in str(error):
            raise
        return _installed(word, error)


def _installed(name: str, error: SourceError) -> Library:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise error from None
    tree = {
        str(file): Path(str(file.locate())).read_bytes()
        for file in distribution.files or ()
        if file.suffix not in (".pyc", ".so")
        and ".." not in file.parts
        and Path(str(file.locate())).is_file()
    }
    return take_apart(name, distribution.version, tree)


def survey(library: Library, sandbox: Sandbox, cache: Path, report: Report) -> Ground:
    """Run a library's tests until they can be relied on, and note which reach which function. Raises SourceError."""
    prepared = prepare(library, sandbox, cache, report)
    report(f"tracing the tests of {library.name} {library.version}")
    again = run_suite(sandbox, library.source, prepared.suite, hash_seed=1)
    traced = run_suite(sandbox, library.source, prepared.suite, record="reach", cpu_s=600)
    passing = prepared.run.passed & again.passed & traced.passed
    if not passing:
        raise SourceError(f"{library.name} {library.version}: its suite is flaky; no test passes every time")
    reached: dict[tuple[str, int], set[str]] = {}
    for test in passing:
        for place in traced.reach.get(test, ()):
            reached.setdefault(place, set()).add(test)
    return Ground(
        prepared,
        passing,
        {place: frozenset(tests) for place, tests in reached.items()},
        prepared.run.seconds,
        shared_copies(library, sandbox),
    )


def make_mutations(
    name: str,
    sandbox: Sandbox,
    cache: Path,
    report: Report,
    *,
    count: int = 20,
    seed: int = 0,
    split: Split = "test",
    keep: Callable[[MadeTask], bool],
    tried: MutableMapping[str, str] | None = None,
) -> Iterator[MadeTask]:
    """Plant up to ``count`` bugs in a library; a task is yielded as soon as it is known to be good.

    The same library and seed give the same tasks, and a larger count more of them. ``tried`` remembers what became of each site, so
    that a run that was broken off goes on: the id of its task, or an empty text. Raises SourceError when the library will not do.
    """
    library = load_library(name, cache)
    ground = survey(library, sandbox, cache, report)
    chosen = candidates(library, ground, seed)
    if not chosen:
        why = (
            "the sandbox's own Python has it, where fixes could be read"
            if ground.copies
            else "its tests reach none of its functions"
        )
        raise SourceError(f"{library.name} {library.version}: {why}")
    known = {} if tried is None else tried
    made = sum(1 for task_id in known.values() if task_id)
    number = f"{library.name}-{library.version}-s{seed}"
    waiting = [site for site in chosen[: MOST_TRIES * count] if site.key not in known]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(waiting), 2 * AT_ONCE):
            batch = waiting[start : start + 2 * AT_ONCE]
            if made >= count:
                return
            found = pool.map(lambda site: try_site(ground, site, sandbox, split), batch)
            for site, task in zip(batch, found, strict=True):
                named = (
                    None if task is None or made >= count else replace(task, id=f"{number}-{made + 1:03d}")
                )
                if task is not None and named is None:
                    break  # enough; this site waits for a larger count
                good = named is not None and keep(named)
                known[site.key] = named.id if named is not None and good else ""
                made += good
                report(f"{library.name}: {made} of {count} made, {len(known)} bugs tried")
                if named is not None and good:
                    yield named
    if not made:
        raise SourceError(
            f"{library.name} {library.version}: none of {len(known)} planted bugs makes a valid task"
        )


def candidates(library: Library, ground: Ground, seed: int) -> list[Site]:
    """The sites in functions that tests reach, in the seed's order; operators take turns, so that none crowds others out."""
    rng = random.Random(f"mutation/{library.name}/{library.version}/{seed}")
    by_operator: dict[str, list[Site]] = {}
    for file, source in sorted(library.code.items()):
        for site in sites(file, source):
            here = (
                source[source.rfind(b"\n", 0, site.start) + 1 : site.end]
                .decode(errors="replace")
                .splitlines()
            )
            if (site.file, site.function_line) in ground.reached_by and not leaks(
                ground.copies, file, here[:1]
            ):
                by_operator.setdefault(site.operator, []).append(site)
    for found in by_operator.values():
        rng.shuffle(found)
    order: list[Site] = []
    while any(by_operator.values()):
        names = sorted(name for name, found in by_operator.items() if found)
        rng.shuffle(names)
        order += [by_operator[name].pop() for name in names]
    return order


def try_site(ground: Ground, site: Site, sandbox: Sandbox, split: Split) -> MadeTask | None:
    """The task of a bug planted there; None when no test fails, over half break, or two runs differ."""
    library, suite = ground.prepared.library, ground.prepared.suite
    original = library.source[site.file]
    planted = site.plant(original)
    if not _compiles(planted) or same_code(planted, original):
        return None
    tree = {**library.source, site.file: planted}
    judges = sorted(ground.reached_by[site.file, site.function_line])
    if len(judges) > MOST_JUDGES:
        judges = random.Random(len(planted)).sample(judges, MOST_JUDGES)
    files = ground.prepared.run.files
    paths = sorted({files[test] for test in judges})
    cpu_s = 20.0 + 5 * ground.seconds
    try:
        first = run_suite(sandbox, tree, suite, only=judges, paths=paths, cpu_s=cpu_s)
        failing = frozenset(judges) - first.passed
        if not failing or len(failing) > MOST_BROKEN * len(ground.passing) or first.hung & failing:
            return None  # each grade of a submission that does not mend a test that hangs would wait as long
        second = run_suite(sandbox, tree, suite, only=judges, paths=paths, cpu_s=cpu_s, hash_seed=1)
    except SourceError:
        return None  # a bug that makes the suite hang or break down shows nothing
    if frozenset(judges) - second.passed != failing or first.errors:
        return None
    return _task(ground, site, tree, sorted(failing), first.messages, sandbox, split)


def _task(
    ground: Ground,
    site: Site,
    tree: Tree,
    failing: list[str],
    messages: Mapping[str, str],
    sandbox: Sandbox,
    split: Split,
) -> MadeTask:
    library, suite = ground.prepared.library, ground.prepared.suite
    files = ground.prepared.run.files
    examples = find_examples(sandbox, tree, library.source, suite, failing, files)
    chosen = representative(ground.prepared.run, ground.passing, failing, library.version)
    kept = sorted(chosen - set(failing))
    said = [text for test, text in messages.items() if test in failing]
    line = library.source[site.file][: site.start].count(b"\n") + 1
    return MadeTask(
        id="",
        kind="mutation",
        title=f"Mend {library.name}: a planted bug",
        statement=write_statement(
            library.name, library.places, examples=examples[:1], seen=symptoms(said)[:1]
        ),
        tree={**suite.deps, **tree},
        tests=suite.files,
        gold={site.file: library.source[site.file]},
        sources=tuple(place if place.endswith(".py") else f"{place}/" for place in library.places),
        fail_to_pass=tuple(failing),
        pass_to_pass=tuple(kept),
        config=suite.config.decode(),
        arguments=suite.mode,
        python=ground.prepared.python,
        origin=f"{library.name} {library.version} from the package index, with a bug planted ({site.operator})",
        licence=licence(library),
        shape=shape_of("library", library.name),
        split=split,
        difficulty=2 if examples else 3,
        wall_s=grade_seconds(ground.prepared.run),
        about={
            "library": library.name,
            "operator": site.operator,
            "place": f"{site.file}:{line} {site.function}",
            **coverage(ground.passing, chosen),
        },
    )


def _compiles(source: bytes) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
