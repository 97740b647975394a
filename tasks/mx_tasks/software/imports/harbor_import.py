"""Import Harbor task directories unchanged: images made ready, the solution run once, then gold 1, nothing 0, cheats 0."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mx_sandboxes import Limits, Sandbox, SandboxError
from mx_sandboxes.backends.docker.containers import (
    Given,
    adopt,
    build_folder,
    fetched,
    files_of,
    run_once,
    settings_of,
)
from mx_sandboxes.backends.docker.tags import PLAIN
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, read_directory, toml_text
from mx_tasks.software.errors import SourceError
from mx_tasks.software.imports.legacy import as_harbor, legacy_directories
from mx_tasks.software.made import UNVALIDATED
from mx_tasks.software.sets.harbor_tasks import (
    FORM,
    GIVEN,
    GOLD,
    KEPT,
    HarborTasks,
    default_of,
    files_below,
    is_output,
)
from mx_tasks.task import Submission

Report = Callable[[str], None]
REPEATS = 3
SOLVE = "solve.sh"
NO_SOLUTION = "there is no solution/solve.sh, so nothing shows that its tests can be met"
MOST_FILES = 5_000
LARGEST_GIVEN = 48 << 20
LARGEST_FILE = 16 << 20
CONVENTION = "/logs/artifacts"
REFUSED_ROOTS = frozenset({"/", "/usr", "/var", "/tmp", "/opt", "/logs", "/tests", "/solution"})  # noqa: S108
REFUSED_BELOW = (
    "/bin",
    "/sbin",
    "/etc",
    "/usr/bin",
    "/usr/lib",
    "/lib",
    "/proc",
    "/sys",
    "/dev",
    "/mx",
    "/work",
)
_PLAIN_STEPS = frozenset(
    {"FROM", "WORKDIR", "COPY", "ENV", "LABEL", "CMD", "ENTRYPOINT", "SHELL", "EXPOSE", "USER", "ARG"}
)
_SOLVE = "cd {root} && chmod -R +x /solution 2>/dev/null; {env}exec {shell} /solution/solve.sh 2>&1\n"


@dataclass
class Prepared:
    """What an import found out about a directory: our fields, the files that agents get, and the solution's."""

    ours: dict[str, Any]
    given: Mapping[str, Given]
    gold: Mapping[str, Given] = field(default_factory=dict)


def import_harbor(
    source: Path,
    folder: Path,
    sandbox: Sandbox,
    report: Report,
    *,
    network: str | None = None,
    split: str = "test",
) -> Iterator[str]:
    """Import a Harbor task directory, or all that lie below a folder, giving the name of each that holds.

    ``network`` is the builds' (``host`` where the engine's bridge reaches nothing); whatever a task asks for, its verifier and its
    solution have none. Raises SourceError when there is no task directory.
    """
    found = sorted({path.parent for path in source.rglob("task.toml")}) if source.is_dir() else []
    older = list(legacy_directories(source)) if source.is_dir() else []
    if not found and not older:
        raise SourceError(f"{source} holds no task directory (one with a task.toml or a task.yaml)")
    with tempfile.TemporaryDirectory() as scratch:
        for path in (*found, *older):
            name = path.name
            try:
                report(f"{name}: reading")
                theirs = as_harbor(path, Path(scratch)) if path in older else path
                _import_one(theirs, folder, sandbox, report, network, split)
            except (TaskDirectoryError, SourceError, SandboxError) as error:
                report(f"{name}: refused: {' '.join(str(error).split())}")
                continue
            yield name


def _import_one(
    path: Path, folder: Path, sandbox: Sandbox, report: Report, network: str | None, split: str
) -> None:
    """Import a directory of today's form. Raises TaskDirectoryError, SourceError, SandboxError."""
    directory = read_directory(path)
    check(directory, path)
    made = prepare(directory, path, sandbox, network)
    made.ours |= {
        "form": FORM,
        "split": split,
        "origin": str(directory.config.get("task", {}).get("name", path.name)),
    }
    if not directory.solution.get(SOLVE):
        made.ours[UNVALIDATED] = NO_SOLUTION
        report(f"{path.name}: not validated: {NO_SOLUTION}")
    report(f"{path.name}: validating")
    _keep(path, folder, made, sandbox)


def check(directory: TaskDirectory, path: Path) -> None:
    """Raise SourceError for what a task needs and cannot have here."""
    config = directory.config
    environment, verifier = config.get("environment", {}), config.get("verifier", {})
    compose = [name for part in ("environment", "tests") for name in path.glob(f"{part}/docker-compose.y*ml")]
    wants = {
        "containers side by side (docker-compose)": bool(compose),
        "Windows": str(environment.get("os", "linux")).lower() != "linux",
        "an accelerator": bool(environment.get("gpus") or environment.get("tpu")),
        "MCP servers": bool(environment.get("mcp_servers")),
        "a service that runs (healthcheck)": bool(environment.get("healthcheck")),
        "commands in the agents' container after they are gone ([[verifier.collect]])": bool(
            verifier.get("collect")
        ),
        "artefacts of another container": any(
            isinstance(each, Mapping) and each.get("service", "main") not in (None, "main")
            for each in config.get("artifacts", ())
        ),
    }
    for what, wanted in wants.items():
        if wanted:
            raise SourceError(f"it needs {what}, which it cannot have here")
    if "test.sh" not in directory.tests:
        raise SourceError("there is no tests/test.sh")
    for value in dict(verifier.get("env", {})).values():
        default_of(str(value))


def prepare(directory: TaskDirectory, path: Path, sandbox: Sandbox, network: str | None) -> Prepared:
    """Make a task's images, or find that it needs none; run its solution. Raises SourceError, SandboxError."""
    if sandbox.backend == "docker":
        return _with_images(directory, path, network)
    return _without_image(directory, path, sandbox)


def _with_images(directory: TaskDirectory, path: Path, network: str | None) -> Prepared:
    config = directory.config
    environment = config.get("environment", {})
    image = _image(environment, path / "environment", network)
    settings = settings_of(image)
    workdir = str(environment.get("workdir") or settings.get("WorkingDir") or "/")
    roots, outputs = places(config, workdir)
    ours: dict[str, Any] = {
        "roots": roots,
        "outputs": outputs,
        "workdir": workdir if workdir != "/" else roots[0],
    }
    own = config.get("verifier", {}).get("environment") or {}
    if own.get("docker_image") or "Dockerfile" in directory.tests:
        ours["verifier"] = _image(own, path / "tests", network)
        ours["bundled"] = True
        ours["workdir"] = str(
            own.get("workdir") or settings_of(ours["verifier"]).get("WorkingDir") or ours["workdir"]
        )
    else:
        ours["verifier"] = image
    ours["image"] = adopt(image, roots)
    given = _checked(files_of(image, roots, largest=LARGEST_GIVEN + LARGEST_FILE))
    if not directory.solution.get(SOLVE):
        return _unsolved(ours, given)
    solution = {f"/solution/{name}": file for name, file in files_below(path / "solution").items()}
    done = run_once(
        image, _solve_script(directory, workdir), files=solution, collect=roots, wall_s=600.0,
        largest=LARGEST_GIVEN + LARGEST_FILE,
    )  # fmt: skip
    if done.exit_code is None:
        raise SourceError("its solution/solve.sh was not done after 600 s")
    return _changed(ours, given, _checked(done.files), done.output)


def _image(environment: Mapping[str, Any], folder: Path, network: str | None) -> str:
    named = environment.get("docker_image")
    if (folder / "Dockerfile").is_file() and not named:
        return build_folder(folder, network=network)
    if not named:
        raise SourceError(f"there is neither {folder.name}/Dockerfile nor a docker_image")
    try:
        return fetched(str(named))
    except SandboxError:
        if not (folder / "Dockerfile").is_file():
            raise
        return build_folder(folder, network=network)


def places(config: Mapping[str, Any], workdir: str) -> tuple[list[str], list[str]]:
    """The folders that agents change, absolute, and what of them is carried over, as names in the workspace.

    What ``artifacts`` declares is carried, else the whole working folder. Raises SourceError for a folder that can be no workspace.
    """
    declared = [
        str(each["source"] if isinstance(each, Mapping) else each).rstrip("/")
        for each in config.get("artifacts", ())
    ]
    wanted = [name for name in declared if name != CONVENTION]
    absolute = [name if name.startswith("/") else f"{workdir.rstrip('/')}/{name}" for name in wanted]
    candidates = [*([workdir] if workdir != "/" else []), *absolute]
    separate = config.get("verifier", {}).get("environment_mode") == "separate"
    roots: list[str] = []
    for name in candidates:
        folder = (
            name if not PurePosixPath(name).suffix or name == workdir else str(PurePosixPath(name).parent)
        )
        if any(PurePosixPath(folder).is_relative_to(root) for root in roots):
            continue
        roots = [root for root in roots if not PurePosixPath(root).is_relative_to(folder)]
        roots.append(folder)
    if not roots:
        raise SourceError("its working folder is /: name one with WORKDIR, or [environment] workdir")
    for root in roots:
        below = any(PurePosixPath(root).is_relative_to(place) for place in REFUSED_BELOW)
        if below or root in REFUSED_ROOTS or not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", root):
            raise SourceError(f"its artefacts lie in {root}, which cannot be a workspace")
    if CONVENTION in declared or (separate and not absolute):
        roots, absolute = [*roots, CONVENTION], [*(absolute or [workdir]), CONVENTION]
    outputs: list[str] = []
    for name in [each.lstrip("/") for each in absolute or [workdir]]:
        outputs += [f"{name}/"] if f"/{name}" in roots else [name, f"{name}/"]
    return roots, outputs


def _without_image(directory: TaskDirectory, path: Path, sandbox: Sandbox) -> Prepared:
    """A task that needs only Python and a shell, in a bubblewrap jail. Raises SourceError for any other."""
    workdir, given = plain_environment(directory, path)
    workdir = str(directory.config.get("environment", {}).get("workdir") or workdir)
    if "Dockerfile" in directory.tests:
        raise SourceError(
            "its verifier needs an image of its own (tests/Dockerfile), and bubblewrap has none: use --sandbox docker"
        )
    roots, outputs = places(directory.config, workdir)
    tops = {PurePosixPath(root).parts[1] for root in roots}
    if not tops <= {"app", "workspace", "testbed", "logs"}:
        raise SourceError(
            f"its files lie in {', '.join(roots)}, which a bubblewrap jail has not: use --sandbox docker"
        )
    files = {name.lstrip("/"): file for name, file in _checked(given).items()}
    ours: dict[str, Any] = {
        "roots": roots,
        "outputs": outputs,
        "workdir": workdir,
        "image": PLAIN,
        "verifier": "",
    }
    if not directory.solution.get(SOLVE):
        return _unsolved(ours, files)
    solution = {f"solution/{name}": file for name, file in files_below(path / "solution").items()}
    keep = {f"{root.lstrip('/')}/{KEPT}": Given(b"") for root in roots}
    done = sandbox.run(
        ["sh", "-c", _solve_script(directory, workdir)],
        files={name: file.data for name, file in {**files, **solution, **keep}.items()},
        collect=[f"{root.lstrip('/')}/" for root in roots],
        limits=Limits(wall_s=120, cpu_s=120, memory_bytes=1 << 30, open_files=512),
    )
    after = {
        f"/{name}": Given(data, 0o755 if data.startswith(b"#!") else 0o644)
        for name, data in done.files.items()
    }
    for name in keep.keys() - files.keys():
        after.pop(f"/{name}", None)
    return _changed(
        ours, {f"/{name}": file for name, file in files.items()}, after, done.stdout.decode(errors="replace")
    )


def plain_environment(directory: TaskDirectory, path: Path) -> tuple[str, dict[str, Given]]:
    """The working folder of a Dockerfile that only copies, and the files, by absolute name. Raises SourceError for any other."""
    named = directory.config.get("environment", {}).get("docker_image")
    if named or "Dockerfile" not in directory.environment:
        raise SourceError(
            f"it needs the image {named or 'of its Dockerfile'}, and bubblewrap has none: use --sandbox docker"
        )
    text = directory.environment["Dockerfile"].decode(errors="replace").replace("\\\n", " ")
    workdir, given = "/", dict[str, Given]()
    for line in text.splitlines():
        step, _, rest = line.strip().partition(" ")
        step, rest = step.upper(), rest.strip()
        if not step or step.startswith("#"):
            continue
        if step == "WORKDIR":
            workdir = str(PurePosixPath(workdir, rest))
        elif step == "COPY":
            given |= _copied(rest, workdir, path / "environment")
        elif step not in _PLAIN_STEPS and not re.fullmatch(r"RUN mkdir (-p )?[\w./ -]+", line.strip()):
            raise SourceError(
                f"it needs an image of its own ({line.strip()[:60]}), and bubblewrap has none: use --sandbox docker"
            )
    return workdir, given


def _copied(rest: str, workdir: str, folder: Path) -> dict[str, Given]:
    """The files that a COPY brings."""
    words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    if any(word.startswith("--") or "*" in word or "$" in word for word in words) or len(words) < 2:
        raise SourceError(
            f"it needs an image of its own (COPY {rest[:50]}), and bubblewrap has none: use --sandbox docker"
        )
    *sources, target = words
    place = PurePosixPath(workdir, target)
    found: dict[str, Given] = {}
    for source in sources:
        here = folder / source
        if not here.resolve().is_relative_to(folder.resolve()):
            raise SourceError(f"its Dockerfile copies {source}, which is outside environment/")
        if here.is_dir():
            found |= {str(place / name): file for name, file in files_below(here).items()}
        elif here.is_file():
            into = (
                place / here.name
                if target.endswith("/") or len(sources) > 1 or str(place) == workdir
                else place
            )
            found[str(into)] = Given(here.read_bytes(), here.stat().st_mode & 0o777)
        else:
            raise SourceError(f"its Dockerfile copies {source}, and there is none")
    return found


def _solve_script(directory: TaskDirectory, workdir: str) -> str:
    env = "".join(
        f"export {key}={shlex.quote(default_of(str(value)))}; "
        for key, value in directory.config.get("solution", {}).get("env", {}).items()
        if re.fullmatch(r"\w+", key)
    )
    shell = "bash" if b"bash" in directory.solution["solve.sh"].partition(b"\n")[0] else "sh"
    return _SOLVE.format(root=shlex.quote(workdir), env=env, shell=shell)


def _checked(files: Mapping[str, Given]) -> dict[str, Given]:
    """The files without version control. Raises SourceError for more than a workspace takes."""
    kept = {name: file for name, file in files.items() if ".git" not in PurePosixPath(name).parts}
    size = sum(len(file.data) for file in kept.values())
    if (
        len(kept) > MOST_FILES
        or size > LARGEST_GIVEN
        or any(len(file.data) > LARGEST_FILE for file in kept.values())
    ):
        raise SourceError(
            f"its working folder holds {len(kept)} files of {size >> 20} MB; a workspace takes {MOST_FILES}, {LARGEST_GIVEN >> 20} "
            f"MB, and {LARGEST_FILE >> 20} MB each"
        )
    return kept


def _unsolved(ours: dict[str, Any], given: Mapping[str, Given]) -> Prepared:
    """A task without a solution."""
    return Prepared({**ours, "removed": []}, {name.lstrip("/"): file for name, file in given.items()})


def _changed(
    ours: dict[str, Any], given: Mapping[str, Given], after: Mapping[str, Given], said: str
) -> Prepared:
    """What the solution changed of what is carried over. Raises SourceError when that is nothing."""
    outputs = ours["outputs"]
    gold = {
        name: file
        for name, file in after.items()
        if (name not in given or given[name].data != file.data) and is_output(outputs, name.lstrip("/"))
    }
    ours["removed"] = sorted(
        name.lstrip("/") for name in given if name not in after and is_output(outputs, name.lstrip("/"))
    )
    if not gold and not ours["removed"]:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise SourceError(
            f"its solution changes nothing of what is carried over, {', '.join(outputs)} ({ascii(last)[1:-1][:160]})"
        )
    return Prepared(
        ours, {n.lstrip("/"): f for n, f in given.items()}, {n.lstrip("/"): f for n, f in gold.items()}
    )


def _keep(path: Path, folder: Path, made: Prepared, sandbox: Sandbox) -> None:
    """Write the directory, then see that it holds; one that does not is not kept. Raises SourceError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".importing-") as scratch:
        target = Path(scratch) / path.name
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__", ".git", GIVEN, GOLD))
        target.joinpath("task.toml").write_text(_with_ours(path / "task.toml", made.ours), "utf-8")
        for part, files in ((GIVEN, made.given), (GOLD, made.gold)):
            for name, file in files.items():
                place = target / part / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.data)
                place.chmod(file.mode | 0o600)
        _validate(HarborTasks([target], "import"), path.name, sandbox)
        final = folder / path.name
        if final.exists():
            shutil.rmtree(final)
        target.replace(final)


def _with_ours(file: Path, ours: Mapping[str, Any]) -> str:
    """The author's task.toml with our table at its end; one that has ours already is written anew."""
    import tomllib

    text = file.read_text("utf-8")
    config = tomllib.loads(text)
    metadata = config.get("metadata", {})
    if "mx" not in metadata and not re.search(r"(?m)^\s*metadata\s*=", text):
        return text.rstrip() + "\n\n" + toml_text({"metadata": {"mx": dict(ours)}})
    return toml_text({**config, "metadata": {**metadata, "mx": dict(ours)}})


def _validate(tasks: HarborTasks, name: str, sandbox: Sandbox) -> None:
    task = tasks.find(name)
    gold = tasks.gold(task)
    wanted = [("doing nothing", Submission(), 0.0)]
    if gold != Submission():
        wanted.insert(0, ("its solution", gold, 1.0))
    wanted += [(f"the cheat {what!r}", cheat, 0.0) for what, cheat in tasks.cheats(task).items()]
    for what, submission, score in wanted:
        for _ in range(REPEATS if score else 1):
            grade = tasks.grade(task, submission, sandbox)
            if grade.score != score:
                said = [line for line in grade.log.splitlines() if line.strip()]
                last = (
                    [line for line in said if line.startswith("offline: ")][-1:]
                    or said[-1:]
                    or ["it said nothing"]
                )
                raise SourceError(
                    f"{what} scores {grade.score:g}, not {score:g} ({ascii(last[0])[1:-1][:160]})"
                )
