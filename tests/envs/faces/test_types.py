"""A user's script sees real types: environment, observation and episode are no ``Any`` to a type checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from mx_envs import hardware_v0, software_v0, trading_v0

env = software_v0.env(tasks="micro")
reveal_type(env)
reveal_type(env.last()[0])
reveal_type(env.unwrapped.episode)
reveal_type(trading_v0.raw_env(tasks="micro").observe("designer_0"))
reveal_type(hardware_v0.parallel_env(tasks="micro").step({})[0])
env.stepp(None)
env.step(3)
env.unwrapped.episode.grade
"""
MISTAKES = 3


def test_what_a_user_s_script_handles_has_types_and_mistakes_are_found(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    line = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        "",
        "--cache-dir",
        str(tmp_path / "cache"),
    ]
    said = subprocess.run([*line, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    revealed = [line for line in said.stdout.splitlines() if "Revealed type" in line]
    assert len(revealed) == 5, said.stdout + said.stderr
    assert not [line for line in revealed if 'is "Any"' in line]
    assert "AECEnvironment" in revealed[0]
    assert "EpisodeRecord" in revealed[2]
    assert len([line for line in said.stdout.splitlines() if "error:" in line]) == MISTAKES
