"""``mx trial``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.text import Text

from mx_agents.bench.trial import Candidate
from mx_agents.bench.trials import open_trials
from mx_agents.cli.console import console


def run(candidate: str, *, repeats: int, choose: bool, as_json: bool, **options: Any) -> int:
    """Score a candidate on the validation split, or choose it and measure it on the other; 0."""
    script = candidate.endswith(".py") and not candidate.startswith("program:")
    given = Candidate.of(Path(candidate)) if script else Candidate.named(candidate)
    with open_trials(**options) as trials:
        if choose:
            row = trials.choose(given)
            plain, line = (
                row.as_dict(),
                f"success {row.success.mean:.3f} on {row.tasks} tasks of {options['split']}",
            )
        else:
            result = trials.trial(given, repeats=repeats)
            plain, line = result.as_dict(), result.said
    if as_json:
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
    else:
        console().print(Text(line), soft_wrap=True)
    return 0
