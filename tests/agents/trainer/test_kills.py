"""Training killed at random moments ends as if it had not been; twenty kills: make test-kills."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mx_agents.runs.folder import read_lines
from mx_agents.trainer.checkpoint import checkpoints, tidy

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
KILLS = int(os.environ.get("MX_KILLS", "3"))


@pytest.fixture(scope="module")
def kills() -> ModuleType:
    """The benchmark's module."""
    return importlib.import_module("kills")


@pytest.mark.timeout(300 + 120 * KILLS)
@pytest.mark.parametrize("roles", ["{designer: one, executor: one}"])
def test_killed_training_ends_bit_for_bit_as_it_would_have(
    kills: ModuleType, roles: str, tmp_path: Path
) -> None:
    came = kills.trial(tmp_path, KILLS, 4, 5, [f"roles={roles}"])
    assert len(came["kills"]) == KILLS
    assert came["compared"] > 20
    assert came["differing"] == []
    spoilt = kills.control(tmp_path)
    assert len(spoilt) == 1 + len(kills.SPOILT)
    assert all(spoilt.values()), spoilt


KILLED_AT_CHECKPOINT = """
import os, signal, sys
from pathlib import Path

from mx_agents.trainer import arm
from mx_agents.trainer.config import load_config

save = arm.save_checkpoint

def save_and_die(folder, roles, progress):
    save(folder, roles, progress)
    if progress.step:
        os.kill(os.getpid(), signal.SIGKILL)

arm.save_checkpoint = save_and_die
arm.suspicions = lambda metrics, evaluations: ["made up"]
small = ["cold_start.executor_demonstrations=20", "cold_start.designer_demonstrations=20", "cold_start.designer_epochs=1"]
config = load_config("smoke", None, small)
run = Path(sys.argv[1])
arm.cold_start(config, run / "cold", lambda _: None)
arm.train_arm(config, "co-evolution", run / "arm", run / "cold", sys.argv[2], lambda _: None)
"""


def test_what_a_checkpoint_stands_for_is_on_record_before_it(
    kills: ModuleType, backend: str, tmp_path: Path
) -> None:
    """Killed right after a checkpoint: the step's metrics, suspicion and curves are there, for it is never made again."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_CHECKPOINT, str(tmp_path), backend], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    arm = tmp_path / "arm"
    assert [path.name for path in checkpoints(arm / "checkpoints")] == ["step-000001"]
    for name in ("metrics", "suspicions", "trees"):
        assert [row["step"] for row in read_lines(arm / f"{name}.jsonl")] == [1], name
    curves = kills.curves(arm / "tensorboard")
    assert [step for step, _ in curves["train/success"]] == [1]
    assert [step for step, _ in curves["validation/success"]] == [0]


def test_checkpoints_that_a_kill_left_in_pieces_are_cleared_away(tmp_path: Path) -> None:
    for name in ("step-000001", "step-000002", "step-000003", ".step-000004.part", ".step-000000.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_text("{}")
    (tmp_path / "step-000001" / "state.json").unlink()  # its removal had begun
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000002", "step-000003"]
