"""Apply and invert line patches."""


class PatchError(ValueError):
    """The patch does not fit the text."""


def apply(old, patch):
    """The lines of the patched text."""
    new = []
    done = 0  # lines of the old text that are dealt with
    for start, lines in patch:
        if not done <= start - 1 <= len(old):
            raise PatchError(f"a hunk at line {start} overlaps another or is beyond the end")
        new += old[done : start - 1]
        done = len(new)
        for line in lines:
            sign, content = line[:1], line[1:]
            if sign == "+":
                new.append(content)
                continue
            if sign not in (" ", "-"):
                raise PatchError(f"a patch line begins with {sign!r}")
            if done >= len(old) or old[done] != content:
                raise PatchError(f"line {done + 1} is not {content!r}")
            if sign == " ":
                new.append(content)
            done += 1
    return new + old[done:]


def invert(patch):
    """The patch that undoes a patch."""
    inverted = []
    grown = 0  # lines that the earlier hunks added, less those they removed
    for start, lines in patch:
        inverted.append((start, [_swap(line) for line in lines]))
        grown += sum((line[:1] == "+") - (line[:1] == "-") for line in lines)
    return inverted


def stat(patch):
    """How many lines a patch adds and removes."""
    lines = [line for _, hunk in patch for line in hunk]
    return sum(line[:1] == "+" for line in lines), sum(line[:1] == "-" for line in lines)


def _swap(line):
    return {"+": "-", "-": "+"}.get(line[:1], line[:1]) + line[1:]
