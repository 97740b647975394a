"""Choose the versions of everything that mx-envs builds on, and write them down in pip's format.

    python scripts/resolve.py locked requirements.lock   # for every Python and system, with hashes; keeps what can stay
    python scripts/resolve.py newest FILE                # the newest that pyproject.toml allows, for this Python
    python scripts/resolve.py oldest FILE                # the oldest of what it names, the newest of what those ask for

More arguments are handed to uv: ``--upgrade``, ``--upgrade-package numpy``. Runs on the Python of the environment that is
to be filled, with uv in it. PyTorch is left out of every resolution: its build depends on the machine (processors alone, or
which CUDA), so scripts/setup.sh installs it first and by itself. What its build for processors asks for is resolved with the rest.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import tempfile
from pathlib import Path

from uv_as_pip import uv

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
EXTRAS = ("train", "dev")
OPTIONS = {
    "locked": ("--universal", "--generate-hashes", "--fork-strategy", "fewest", "--python-version", "3.11"),
    "newest": ("--upgrade", "--no-emit-package", "uv"),
    "oldest": ("--upgrade", "--no-emit-package", "uv", "--resolution", "lowest-direct"),
}
CUDA = re.compile(r"(nvidia|cuda|triton)\b")
TORCH_ASKS_FOR = (
    *("filelock", "fsspec>=0.8.5", "jinja2", "networkx>=2.5.1", "setuptools>=77.0.3", "sympy>=1.13.3"),
    "typing-extensions>=4.10.0",
)
"""What the pinned PyTorch's build for processors asks for, where none is installed to be asked."""


def main(kind: str, output: Path, *options: str) -> int:
    """Write the resolution ``kind`` to ``output``; returns uv's exit code."""
    version, requirements = torch()
    with tempfile.TemporaryDirectory() as folder:
        settings, pinned = Path(folder) / "uv.toml", Path(folder) / "torch.txt"
        settings.write_text(
            "[[dependency-metadata]]\n"
            f'name = "torch"\nversion = "{version}"\nrequires-dist = {json.dumps(requirements)}\n'
        )
        pinned.write_text(f"torch=={version}\n")
        return uv(
            *("pip", "compile", str(PROJECT), "--quiet"),
            *(word for extra in EXTRAS for word in ("--extra", extra)),
            *("--python", sys.executable, "--config-file", str(settings), "--constraints", str(pinned)),
            *("--no-emit-package", "torch", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"),
            *(
                "--custom-compile-command",
                f"scripts/resolve.py {kind}",
                "--output-file",
                str(output.resolve()),
            ),
            *OPTIONS[kind],
            *options,
        )


def torch() -> tuple[str, list[str]]:
    """The version of the PyTorch that is installed here, and what it asks for besides CUDA."""
    try:
        distribution = importlib.metadata.distribution("torch")
    except importlib.metadata.PackageNotFoundError:
        pinned = (Path(__file__).parent / "torch.sh").read_text("utf-8").partition("PINNED_TORCH=torch==")[2]
        return pinned.split()[0], list(TORCH_ASKS_FOR)
    wanted = [line for line in distribution.requires or () if "extra ==" not in line and not CUDA.match(line)]
    return distribution.version.partition("+")[0], sorted(wanted)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in OPTIONS:
        sys.exit("usage: python scripts/resolve.py locked|newest|oldest FILE [uv's options]")
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
