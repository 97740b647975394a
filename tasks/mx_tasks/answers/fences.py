"""The blocks of code in what a model wrote, whatever their fences look like, and what it only thought."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENING = re.compile(
    r"^(?P<indent>[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$"
)
_ONE_LINE = re.compile(r"^[ \t]*```(?P<body>[^`\n]+)```[ \t]*$")
_THOUGHT = re.compile(
    r"^[ \t]*<(think|thinking|thought|reasoning|scratchpad)>.*?</\1>",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_THOUGHT_BEFORE = re.compile(
    r"\A.*^[^\n`'\"#]*</(?:think|thinking|thought|reasoning|scratchpad)>",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_THOUGHT_CUT_OFF = re.compile(
    r"^[ \t]*<(?:think|thinking|thought|reasoning|scratchpad)>.*\Z", re.DOTALL | re.IGNORECASE | re.MULTILINE
)
_LANGUAGE = re.compile(r"[A-Za-z][\w+#.-]*")
_PYTHON = re.compile(r"(?:i?py(?:thon)?|sage)[\d.]*w?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what stands after its fence, its text, what was written before it, and whether it was closed."""

    info: str
    text: str
    before: str
    closed: bool

    @property
    def language(self) -> str:
        """The first word after the fence in lower case, ``python`` for all of Python's names, empty for none."""
        word = _LANGUAGE.search(self.info.partition(" ")[0])
        name = word[0].lower() if word else ""
        return "python" if _PYTHON.fullmatch(name) else name


def plain(answer: str) -> str:
    """An answer with one kind of line ends and without what was only thought: ``<think>...</think>``, or what was never closed."""
    text = answer.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    text = _THOUGHT.sub("", text)
    text = _THOUGHT_CUT_OFF.sub("", text)
    return _THOUGHT_BEFORE.sub("", text)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text in order. A block ends at a fence of its own kind that is as long, or with the text.

    What its opening fence was indented by, its lines are freed of.
    """
    found: list[Block] = []
    lines = text.removesuffix("\n").split("\n")
    place = 0
    while place < len(lines):
        opening = _OPENING.match(lines[place])
        if opening is None or (opening["fence"][0] == "`" and "`" in opening["info"]):
            single = _ONE_LINE.match(lines[place])
            if single:
                found.append(_one_line(single["body"], "\n".join(lines[:place])))
            place += 1
            continue
        end = _end(lines, place + 1, opening["fence"])
        body = _freed(lines[place + 1 : end], len(opening["indent"].expandtabs(4)))
        before = "\n".join(lines[:place])
        found.append(Block(opening["info"].strip(), body, before, closed=end < len(lines)))
        place = end + 1
    return found


def _end(lines: list[str], start: int, fence: str) -> int:
    closing = re.compile(rf"^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    return next((place for place in range(start, len(lines)) if closing.match(lines[place])), len(lines))


def _freed(lines: list[str], indent: int) -> str:
    """Lines without an indentation that they share with their fence, or as much of it as all of them have."""
    if not indent:
        return "".join(f"{line}\n" for line in lines)
    filled = [line.expandtabs(4) if line[:1] in (" ", "\t") else line for line in lines]
    widths = [len(line) - len(line.lstrip(" ")) for line in filled if line.strip()]
    cut = min([indent, *widths])
    return "".join(f"{line[cut:] if line.strip() else ''}\n" for line in filled)


def _one_line(body: str, before: str) -> Block:
    word, _, rest = body.strip().partition(" ")
    if rest and _PYTHON.fullmatch(word):
        return Block(word, rest.strip() + "\n", before, closed=True)
    return Block("", body.strip() + "\n", before, closed=True)
