"""An episode as plain text for a terminal."""

from __future__ import annotations

from mx_envs.episode.episode import Episode

_SHOWN = 2_000
"""Characters of a question or an answer that are shown."""


def transcript(episode: Episode) -> str:
    """The task, the design, the turns and the grade, as far as the episode has come; it only ever grows at its end."""
    lines = [f"== task {episode.task.id}", _shown(episode.task.prompt)]
    if episode.design or episode.over:
        lines += ["== design", _shown(episode.design)]
    for number, turn in enumerate(episode.turns, 1):
        question = turn.messages[-1]["content"]
        lines += [
            f"== turn {number}: {turn.name} ({turn.agent}) is asked",
            _shown(question),
            "-- answers",
            _shown(turn.answer),
        ]
    record = episode.record
    if record is not None:
        lines.append(f"== {record.stop.value}" + (f": {record.error}" if record.error else ""))
        if record.submission.answer:
            lines += ["-- submission", _shown(record.submission.answer)]
        lines.append(
            f"score {record.grade.score:.2f}, {record.calls} calls, designer's reward {record.rewards.designer:+.2f}"
        )
    return "\n".join(lines) + "\n"


def _shown(text: str) -> str:
    """The text without what a terminal would obey, cut."""
    clean = "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text[:_SHOWN]
    )
    return clean if len(text) <= _SHOWN else f"{clean}... ({len(text)} characters)"
