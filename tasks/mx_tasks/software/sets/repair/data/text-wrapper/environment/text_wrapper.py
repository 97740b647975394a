"""Fill text to a width."""

import re


def wrap(text, width, indent=""):
    """The lines of one paragraph; all but the first start with ``indent``."""
    if width <= len(indent):
        raise ValueError(f"width {width} leaves no room beside an indent of {len(indent)}")
    lines = []
    line = ""
    for word in text.split():
        room = width
        if line and len(line) + 1 + len(word) <= room:
            line += " " + word
            continue
        if line:
            lines.append(line)
            room = width - len(indent)
        while len(word) > room:
            lines.append(word[:room])
            word = word[room + 1 :]
            room = width - len(indent)
        line = word
    if line:
        lines.append(line)
    return [indent + line if number else line for number, line in enumerate(lines)]


def fill(text, width):
    """All paragraphs of the text, wrapped."""
    paragraphs = re.split(r"\n[ \t]*\n\s*", text.strip())
    return "\n\n".join("\n".join(wrap(paragraph, width)) for paragraph in paragraphs)
