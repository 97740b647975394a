"""What a saved policy needs beside its weights to be played as it was trained: its guide and its sampling."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mx_agents.errors import UsageError
from mx_envs import GUIDES, guide_text

FILE = "mx_policy.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """How a policy was trained: for which ``role`` and ``tasks``, under which ``guide`` (None: none that it would know of), with
    how many new tokens at most, at which temperature, on prompts of which length at most. The template options are what the chat
    template was given (such as ``enable_thinking``).
    """

    role: str = ""
    tasks: str = ""
    guide: str | None = None
    max_new_tokens: int = 256
    max_prompt_tokens: int | None = None
    temperature: float = 1.0
    template_options: dict[str, Any] | None = None

    def write(self, folder: Path) -> None:
        """Leave the facts beside the weights; the guide's text, too, for its name may mean another text one day."""
        text = None if self.guide is None else guide_text(self.guide)
        facts = {"format": FORMAT, **asdict(self), "guide_text": text}
        (folder / FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> PolicyFacts | None:
        """The facts in a folder; None where there are none. Raises UsageError when they cannot be read."""
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts.pop("format") != FORMAT:
                raise ValueError(f"this version reads format {FORMAT}")
            text = facts.pop("guide_text")
            if text is not None and GUIDES.get(facts["guide"], facts["guide"]) != text:
                facts["guide"] = text  # the name has come to mean another text since
            return cls(**facts)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} does not say how the policy was trained: {error}") from None


def check_guide(guide: str) -> str:
    """The guide itself. Raises UsageError for a word that names none."""
    try:
        guide_text(guide)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return guide


def guide_of(policy: object) -> str | None:
    """The guide that a policy was trained under; None where it does not say."""
    guide = getattr(policy, "guide", None)
    return guide if isinstance(guide, str) else None


def guide_for(policy: object, asked: str | None) -> str:
    """The guide to show a designer: the one that was asked for, else the one it was trained under, else ``full``."""
    trained = guide_of(policy)
    return asked if asked is not None else "full" if trained is None else trained


def guide_notice(name: str, policy: object, asked: str | None) -> str | None:
    """What to tell of a designer's guide; None where there is nothing to tell."""
    trained, shown = guide_of(policy), guide_for(policy, asked)
    if trained is not None and guide_text(trained) != guide_text(shown):
        return f"{name} was trained under {_spoken(trained)} and is shown {_spoken(shown)}: it sees what it has never seen"
    return f"{name} is shown {_spoken(shown)}, as in its training" if trained is not None else None


def _spoken(guide: str) -> str:
    if guide in GUIDES:
        return f"the {guide} guide"
    return f"a guide of {len(guide)} characters" if guide else "no guide"
