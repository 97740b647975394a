"""Training that is killed at random moments and resumed, bit for bit beside training that was left alone.

    python benchmarks/kills.py [--kills 20] [--steps 10] [--seed 0] [settings, such as 'roles={designer: one, executor: one}']

Both roles learn. Kills are SIGKILL: to the trainer with all its workers, to the trainer alone, or to a worker alone. Compared are
the checkpoints (weights, optimizers, random states), the saved policies, every record but for its seconds, and TensorBoard's
curves. A control spoils copies of the finished run in small ways (a record less, one twice, one bit of a weight) and has to see
each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = Path("seed-0")
ARM = SEED / "co-evolution"
RECORDS = ("metrics", "evaluation", "trees", "test", "suspicions")
HASHED = ("checkpoints/*/*", "policies/*/*")
KINDS = ("all", "trainer", "worker")
LONGEST_S = 3600.0
SETTLED_S = 60.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: of whom, after how many seconds, and where the run was then."""

    kind: str
    after: float
    where: str


def command(run: Path, steps: int, settings: Sequence[str]) -> list[str]:
    """The command that begins a run, or goes on with it where it has begun."""
    train = [sys.executable, "-m", "mx_agents.cli", "train", "--run", str(run)]
    if (run / "config.yaml").is_file():
        return [*train, "--resume"]
    return [*train, "--preset", "smoke", f"steps={steps}", *settings]


def whole(words: Sequence[str]) -> None:
    """Run a command to its end. Raises SystemExit with what it said when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(words)}\nended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
        )


def killed(words: Sequence[str], seconds: float, kind: str, run: Path) -> Kill | None:
    """Run a command and kill it after so many seconds; None where it had come to its end before."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, start_new_session=True, stdout=said, stderr=subprocess.STDOUT)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill = Kill(kind, seconds, phase(run))
            _kill(process, kind)
            return kill
        if code:
            said.seek(0)
            raise SystemExit(f"{' '.join(words)}\nended with {code}: {said.read().decode()[-2000:]}")
    return None


def _kill(process: subprocess.Popen[bytes], kind: str) -> None:
    """Kill and wait for whoever is left of it: a worker alone makes its trainer end, and the other way round."""
    workers = _workers(process.pid)
    if kind == "worker" and workers:
        os.kill(workers[-1], signal.SIGKILL)
        process.wait(SETTLED_S)
    elif kind == "trainer":
        process.kill()
        process.wait()
    else:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    end = time.monotonic() + SETTLED_S
    while any(map(_lives, workers)):
        if time.monotonic() > end:
            raise SystemExit(f"workers {workers} live on without their trainer")
        time.sleep(0.05)


def _workers(pid: int) -> list[int]:
    """The processes that the trainer has started to train in."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(place.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            words = place.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"spawn_main" in words:
            found.append(int(place.name))
    return sorted(found)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def phase(run: Path) -> str:
    """How far a run has come, in a few words."""
    arm = run / ARM
    if not (run / "config.yaml").is_file():
        return "nothing written"
    if not any((run / SEED / "cold-start").glob("step-*")):
        return "cold start"
    if (arm / "test.jsonl").is_file():
        return "tested"
    if (arm / "policies").is_dir():
        return "saving or testing"
    steps = sorted((arm / "checkpoints").glob("step-*"))
    return f"after {int(steps[-1].name[5:])} steps" if steps else "first step"


def marks(run: Path) -> dict[str, Any]:
    """What is compared, by name: hashes of all that was learnt, the records without their seconds, the curves."""
    arm = run / ARM
    found: dict[str, Any] = {
        str(path.relative_to(arm)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in HASHED
        for path in sorted(arm.glob(pattern))
    }
    for place in (arm, run):
        for name in RECORDS:
            path = place / f"{name}.jsonl"
            found[f"{place.name if place is arm else 'run'}/{path.name}"] = (
                _rows(path) if path.is_file() else None
            )
    found["results.json"] = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found["tensorboard"] = curves(arm / "tensorboard")
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """TensorBoard's scalars as its reader shows them, what a later start has purged left out."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    read.Reload()
    return {
        tag: [(event.step, event.value) for event in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
        if tag != "train/seconds"
    }


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of the marks that are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def trial(folder: Path, kills: int, steps: int, seed: int, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Train undisturbed, then with that many kills, in several runs where one comes to its end before; what differs."""
    rng, begin = random.Random(seed), time.perf_counter()
    whole(command(folder / "whole", steps, settings))
    took = time.perf_counter() - begin
    expected = marks(folder / "whole")
    done: list[Kill] = []
    different: set[str] = set()
    runs = 0
    while len(done) < kills:
        run = folder / f"killed-{runs}"
        runs += 1
        done += _killed_until_done(run, steps, settings, rng, took, kills - len(done))
        different.update(differing(expected, marks(run)))
    return {"kills": done, "runs": runs, "compared": len(expected), "differing": sorted(different)}


def _killed_until_done(
    run: Path, steps: int, settings: Sequence[str], rng: random.Random, took: float, most: int
) -> list[Kill]:
    """The kills of one run, which is whole afterwards."""
    done: list[Kill] = []
    while len(done) < most:
        if not (run / "config.yaml").is_file():
            shutil.rmtree(run, ignore_errors=True)  # killed before it had begun
        kind = rng.choice(KINDS)
        kill = killed(command(run, steps, settings), rng.uniform(0.05, 1.0) * took, kind, run)
        if kill is None:
            return done
        done.append(kill)
    if not (run / "config.yaml").is_file():
        shutil.rmtree(run, ignore_errors=True)
    whole(command(run, steps, settings))
    return done


def _last_row_out(arm: Path) -> None:
    path = arm / "metrics.jsonl"
    path.write_text(
        "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )


def _row_twice(arm: Path) -> None:
    path = arm / "evaluation.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines]), encoding="utf-8")


def _bit_of_a_weight(arm: Path) -> None:
    last = sorted((arm / "checkpoints").glob("step-*"))[-1]
    (path, *_) = [path for path in sorted(last.glob("*.safetensors")) if path.stem != "generators"]
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


def _curve_lost(arm: Path) -> None:
    for path in (arm / "tensorboard").glob("events*"):
        path.write_bytes(path.read_bytes()[:-200])


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "a step's record less": (_last_row_out, "co-evolution/metrics.jsonl"),
    "an evaluation twice": (_row_twice, "co-evolution/evaluation.jsonl"),
    "one bit of a weight": (_bit_of_a_weight, ".safetensors"),
    "the end of TensorBoard's curves": (_curve_lost, "tensorboard"),
}
"""What the control does to a copy of a finished arm, and in which mark it has to be seen."""


def control(folder: Path) -> dict[str, bool]:
    """Whether each way to spoil a finished run is noticed, and an untouched copy is the same."""
    expected = marks(folder / "whole")
    seen = {}
    for place, (name, (spoil, mark)) in enumerate(SPOILT.items()):
        copy = folder / f"spoilt-{place}"
        shutil.copytree(folder / "whole", copy)
        seen["nothing done to it"] = differing(expected, marks(copy)) == []
        spoil(copy / ARM)
        found = differing(expected, marks(copy))
        seen[name] = len(found) == 1 and found[0].endswith(mark)
    return seen


def main() -> None:
    """Print every kill and what differs, and fail where anything does or the control is blind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("settings", nargs="*", help="KEY=VALUE, as mx train takes them")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mx-kills-") as folder:
        came = trial(Path(folder), asked.kills, asked.steps, asked.seed, asked.settings)
        seen = control(Path(folder))
    print(f"{'kill':>4}  {'of':8} {'after':>7}  where the run was")
    for number, kill in enumerate(came["kills"], 1):
        print(f"{number:4}  {kill.kind:8} {kill.after:6.1f}s  {kill.where}")
    print(f"{came['runs']} runs, {came['compared']} files and records compared with the undisturbed run's")
    print(f"differing: {', '.join(came['differing']) or 'none'}")
    for name, noticed in seen.items():
        print(f"control, {name}: {'noticed' if noticed else 'NOT NOTICED'}")
    if came["differing"] or not all(seen.values()):
        raise SystemExit("what was killed and resumed differs, or the control is blind")


if __name__ == "__main__":
    main()
