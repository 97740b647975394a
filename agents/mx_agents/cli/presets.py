"""The presets of ``mx train`` for its help, read without what training needs."""

from __future__ import annotations

from importlib import resources

BARE = "micro"
"""What ``mx train`` trains when it is told nothing."""


def preset_abouts() -> dict[str, str]:
    """Each preset's name, and the first line of its file: what it is and how long it takes."""
    folder = resources.files("mx_agents.trainer").joinpath("presets")
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {
        name.removesuffix(".yaml"): _first_line(folder.joinpath(name).read_text("utf-8")) for name in files
    }


def presets_help() -> str:
    """All of them for ``--help``, a paragraph each."""
    return "\n\n".join(["Presets:", *(f"{name}: {about}" for name, about in preset_abouts().items())])


def _first_line(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ").strip()
