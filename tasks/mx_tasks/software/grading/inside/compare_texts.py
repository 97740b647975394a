"""Whether an answer's text is the one that was wanted, by the rules of inspect_ai's scorers that need neither model nor sandbox.

Used on the host, and by Harbor's runner in the verifier's container: ``python3 compare_texts.py TARGET.json ANSWER REWARD``.
"""

import json
import re
import string
import sys
from typing import Any, Dict, List, Set

HONOURED = ("exact", "match", "includes", "choice")
LETTERS = string.ascii_uppercase


def right(scorer: str, options: Dict[str, Any], targets: List[str], answer: str) -> bool:
    """Whether an answer is right. ``targets`` are alternatives; for ``choice`` all the letters that must be named."""
    if not answer.strip():
        return False
    if scorer == "choice":
        return bool(targets) and _letters(answer) == {
            letter for target in targets for letter in target.strip().upper()
        }
    found = _match if scorer == "match" else _includes if scorer == "includes" else _exact
    return any(found(options, target, answer) for target in targets)


def _exact(_: Dict[str, Any], target: str, answer: str) -> bool:
    return _words(target) == _words(answer)


def _includes(options: Dict[str, Any], target: str, answer: str) -> bool:
    if options.get("ignore_case", True):
        target, answer = target.casefold(), answer.casefold()
    return target in answer


def _match(options: Dict[str, Any], target: str, answer: str) -> bool:
    target, answer = target.strip(), answer.strip()
    if options.get("ignore_case", True):
        target, answer = target.casefold(), answer.casefold()
    place = options.get("location", "end")
    if options.get("numeric", False) and _number(target):
        numbers = [_number(word) for word in answer.split() if _number(word)]
        wanted = _number(target)
        if place == "any":
            return wanted in numbers
        if place == "exact":
            return [wanted] == [_number(answer)]
        return bool(numbers) and numbers[0 if place == "begin" else -1] == wanted
    answer, target = (text.strip(string.punctuation + string.whitespace) for text in (answer, target))
    if place == "begin":
        return answer.startswith(target)
    if place == "any":
        return target in answer
    return answer == target if place == "exact" else answer.endswith(target)


def _number(word: str) -> str:
    """A number in one spelling; empty for what is none."""
    text = re.sub(r"[$€£,*_]", "", word).strip(string.whitespace + ".;:!?()[]`'\"")
    try:
        return repr(float(text))
    except ValueError:
        return ""


def _words(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces."""
    bare = "".join(letter for letter in text.casefold() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def _letters(answer: str) -> Set[str]:
    """The letters after the last ``ANSWER:``, else an answer that is nothing but letters."""
    found = re.findall(r"(?im)^.*ANSWER\s*:\s*([A-Z](?:\s*(?:,|and|\s)\s*[A-Z])*)\b", answer)
    text = found[-1] if found else answer.strip().strip(".")
    letters = re.findall(r"[A-Z]", re.sub(r"(?i)\band\b", ",", text).upper())
    alone = re.fullmatch(r"(?i)\s*[A-Z](\s*(,|and|\s)\s*[A-Z])*\s*", text) is not None
    return set(letters) if alone else set()


def main() -> None:
    """Compare files and write the reward."""
    about, answer, reward = sys.argv[1:]
    with open(about, encoding="utf-8") as stream:
        wanted = json.load(stream)
    try:
        with open(answer, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        text = ""
    good = right(wanted["scorer"], wanted["options"], wanted["targets"], text)
    with open(reward, "w", encoding="utf-8") as stream:
        stream.write("1\n" if good else "0\n")


if __name__ == "__main__":
    main()
