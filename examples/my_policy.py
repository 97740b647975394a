"""my_policy.py: reads formulas in prefix form; to everything else it says 0."""

import re


class Reader:
    """A policy: an answer to each of the chats that are asked at once; put your model in its place."""

    def act(self, observations):
        """The last message of a chat is the question."""
        return [answer(chat["messages"][-1]["content"]) for chat in observations]


def answer(question):
    """A line of Python for each formula of the question."""
    formulas = re.findall(r"^\d+\. (.+)$", question, re.MULTILINE)
    return "\n".join(infix(iter(formula.split())) for formula in formulas) or "0"


def infix(words):
    """The next formula of the words, as Python writes it."""
    word = next(words, "0")
    return word if word.isalnum() else f"({infix(words)} {word} {infix(words)})"
