"""The program in what a model wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mx_tasks.answers.programs import fenced_python

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r`"), max_size=40)
SOURCE = st.lists(LINE, max_size=8).map(lambda lines: "".join(line + "\n" for line in lines))


@given(
    before=SOURCE,
    source=SOURCE,
    after=SOURCE,
    tag=st.sampled_from(["python", "py", "Python", "python title=x"]),
)
def test_the_block_is_found_in_any_prose(before: str, source: str, after: str, tag: str) -> None:
    assert fenced_python(f"{before}```{tag}\n{source}```\n{after}") == source


@given(st.lists(SOURCE, min_size=1, max_size=4))
def test_the_last_of_several_blocks_counts(sources: list[str]) -> None:
    answer = "".join(f"A draft:\n```python\n{source}```\n" for source in sources)
    assert fenced_python(answer) == sources[-1]


@given(SOURCE)
def test_a_block_cut_off_at_the_end_counts(source: str) -> None:
    assert fenced_python(f"Here:\n```python\n{source}") == source


@given(SOURCE, st.sampled_from(["", "text", "json", "sh"]))
def test_other_blocks_and_prose_are_no_program(source: str, tag: str) -> None:
    assert fenced_python(source) is None
    assert fenced_python(f"```{tag}\n{source}```\n") is None


def test_line_ends_of_other_systems() -> None:
    assert fenced_python("Sure:\r\n```python\r\nx = 1\r\n```\r\n") == "x = 1\n"
