"""Gymnasium spaces for text and chats: all of Unicode, and cheap to check.

Gymnasium's own ``Text`` knows ASCII letters and digits only, refuses the empty text and looks at every character.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Set
from typing import Any, cast

import numpy as np
from gymnasium import spaces

from mx_envs.episode.observation import Message

_SAMPLE_RANGES = ((0x20, 0x7F), (0xA0, 0x250), (0x370, 0x400), (0x4E00, 0x4F00), (0x1F600, 0x1F640))
_ROLES = ("system", "user", "assistant", "tool")
_LONGEST_SAMPLE = 64


class _AllCharacters(Set[str]):
    """Every character that there is, as a set that takes no room."""

    def __contains__(self, character: object) -> bool:
        return isinstance(character, str) and len(character) == 1

    def __iter__(self) -> Iterator[str]:
        return map(chr, range(len(self)))

    def __len__(self) -> int:
        return sys.maxunicode + 1


class Text(spaces.Text):
    """Every text, the empty one too: Gymnasium's ``Text`` over all of Unicode.

    ``sample`` draws up to 64 characters of several scripts. What converts Gymnasium's own space converts this one (TorchRL, RLlib);
    it has no flat form, because a text has no fixed length.
    """

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(sys.maxsize, min_length=0, charset="", seed=seed)

    @property
    def character_set(self) -> frozenset[str]:
        """All of Unicode."""
        return cast(frozenset[str], _AllCharacters())

    @property
    def character_list(self) -> tuple[str, ...]:
        """All of Unicode, in order: a million entries, made when they are asked for."""
        return tuple(_AllCharacters())

    @property
    def characters(self) -> str:
        """All of Unicode, in order."""
        return "".join(_AllCharacters())

    def character_index(self, char: str) -> np.int32:
        """Its code point."""
        return np.int32(ord(char))

    @property
    def is_np_flattenable(self) -> bool:
        """False: a text has no fixed length."""
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A random text; masks do not apply."""
        if mask is not None or probability is not None:
            raise ValueError("a Text space has no masks")
        rng = self.np_random
        ranges = [
            _SAMPLE_RANGES[place]
            for place in rng.integers(len(_SAMPLE_RANGES), size=rng.integers(_LONGEST_SAMPLE))
        ]
        return "".join(chr(int(rng.integers(*bounds))) for bounds in ranges)

    def contains(self, x: Any) -> bool:
        """Whether it is a text."""
        return isinstance(x, str)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text)

    def __hash__(self) -> int:
        return hash(Text)

    def __repr__(self) -> str:
        return "Text()"


@spaces.flatten_space.register(Text)
def _no_flat_space(space: Text) -> Any:
    raise NotImplementedError("a text has no fixed length, so it has no flat space")


class Chat(spaces.Space[tuple[Message, ...]]):
    """Every tuple of messages, the empty one too."""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)
        self._text = Text()

    @property
    def is_np_flattenable(self) -> bool:
        """False: a chat has no fixed length."""
        return False

    def seed(self, seed: int | None = None) -> Any:
        """Seed the roles and the texts that ``sample`` draws."""
        self._text.seed(seed)
        return super().seed(seed)

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> tuple[Message, ...]:
        """A random chat of up to three messages; masks do not apply."""
        if mask is not None or probability is not None:
            raise ValueError("a Chat space has no masks")
        count = int(self.np_random.integers(4))
        return tuple(self._message() for _ in range(count))

    def _message(self) -> Message:
        role: Any = _ROLES[int(self.np_random.integers(len(_ROLES)))]
        return {"role": role, "content": self._text.sample()}

    def contains(self, x: Any) -> bool:
        """Whether it is a tuple of messages; texts are not looked into."""
        return isinstance(x, tuple) and all(
            isinstance(message, dict)
            and len(message) == 2
            and message.get("role") in _ROLES
            and isinstance(message.get("content"), str)
            for message in x
        )

    def to_jsonable(self, sample_n: Iterable[tuple[Message, ...]]) -> list[Any]:
        """The chats as lists of messages."""
        return [list(chat) for chat in sample_n]

    def from_jsonable(self, sample_n: list[Any]) -> list[tuple[Message, ...]]:
        """The chats of lists of messages."""
        return [tuple(chat) for chat in sample_n]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chat)

    def __hash__(self) -> int:
        return hash(Chat)

    def __repr__(self) -> str:
        return "Chat()"


def observation_space() -> spaces.Dict:
    """The space of an agent's observation."""
    return spaces.Dict({"messages": Chat()})
