"""What a program's questions come to: settled on the host, whatever was written into the frame.

The endpoint in the sandbox refuses what nobody honours, so that a program hears of it; but it runs beside the program, which may
write frames of its own. So what is pinned or honoured, which model answers, and what is recorded and charged is decided here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from mx_envs.episode.observation import Message
from mx_envs.episode.wire import Question, WireError
from mx_envs.inside.endpoint import chat
from mx_envs.inside.endpoint.sampling import SPELLINGS, BadRequest, Terms


def settled(questions: Sequence[Question], terms: Terms | None) -> list[Question]:
    """The questions as they are asked. Raises WireError for one that nobody here honours."""
    places: Counter[int | None] = Counter()
    found = []
    for question in questions:
        place = 0 if question.call is None else places[question.call]
        places[question.call] += 1
        try:
            found.append(_settled(question, (terms or Terms()).of(question.model), place))
        except BadRequest as error:
            raise WireError(str(error)) from None
    return found


def _settled(question: Question, terms: Terms, place: int) -> Question:
    messages, asked, request = question.messages, question.sampling, None
    if terms.forwards and question.request is not None:
        asking = chat.read(dict(question.request))
        messages = tuple(cast(Message, dict(message)) for message in asking.prompt)
        asked, request = asking.sampling, _pinned(asking.native or {}, terms)
    used = terms.settled(asked)
    return replace(
        question,
        messages=messages,
        sampling=_of_draft(used, place),
        asked=asked if asked != used else {},
        request=request,
    )


def _of_draft(used: dict[str, Any], place: int) -> dict[str, Any]:
    """The parameters of one of n answers: a seed that was asked for is the first one's, the others' are made of it."""
    if place == 0 or "seed" not in used:
        return used
    made = hashlib.sha256(f"{used['seed']}/{place}".encode()).digest()
    return {**used, "seed": int.from_bytes(made[:4], "big") >> 1}


def _pinned(request: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
    """A request as it is handed on: as it came, but for what is pinned."""
    names = {name for name, known in SPELLINGS.items() if known in terms.pins}
    kept = {name: value for name, value in request.items() if name not in names and name not in terms.pins}
    return {**kept, **{name: value for name, value in terms.pins.items() if value is not None}}
