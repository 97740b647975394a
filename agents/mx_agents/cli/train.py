"""``mx train``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mx_agents.cli.presets import BARE, preset_abouts
from mx_agents.errors import UsageError
from mx_sandboxes.extras import how_to_install

NEEDED = ("torch", "transformers", "peft", "tokenizers", "safetensors", "tensorboard")


def run(
    preset: str | None,
    config: Path | None,
    overrides: list[str],
    seeds: int,
    folder: Path | None,
    sandbox: str,
    *,
    ablate: bool,
    resume: bool,
    workers: int | None = None,
) -> int:
    """Check what can be checked without the train extra, then train; the exit code. Raises UsageError."""
    if preset is not None and config is not None:
        raise UsageError("--preset and --config name two configurations; give one of them")
    if config is not None and not config.is_file():
        raise UsageError(f"there is no configuration file {str(config)!r}")
    for change in overrides:
        if "=" not in change:
            raise UsageError(
                f"{change!r} is no change of the configuration; changes are KEY=VALUE, such as steps=100"
            )
    if resume and folder is None:
        raise UsageError("--resume goes on with the run of --run FOLDER; name it")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"training needs {missing[0]}; fix: {how_to_install('train')}")
    from mx_agents.trainer.command import train

    about = (
        ""
        if config is not None or resume
        else _about(BARE if preset is None else preset, many=seeds > 1 or ablate)
    )
    return train(
        preset=preset,
        config=config,
        overrides=overrides,
        seeds=seeds,
        ablate=ablate,
        run=folder,
        resume=resume,
        sandbox=sandbox,
        workers=workers,
        about=about,
    )


def _about(preset: str, *, many: bool) -> str:
    """What a preset is and how long it takes, for the first line of its run."""
    more = ", for each arm and seed" if many else ""
    about = preset_abouts().get(preset, "").removesuffix(".")  # an unknown one is told by the trainer
    return f"Preset {preset}: {about}{more}. (mx train --help lists the others)"
