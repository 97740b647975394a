"""Find the program in what a model wrote."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
import threading
import warnings
from collections.abc import Iterator, Sequence

from mx_tasks.answers.fences import Block, blocks, plain

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_START = re.compile(r"(?:def|class|import|from|async def) |@[A-Za-z_]")
SHELLS = frozenset(("bash", "sh", "shell", "console", "zsh", "output", "text", "txt"))
"""What fences of commands and their output are called."""
_FOREIGN = SHELLS | {"json", "yaml", "toml", "xml", "html", "diff", "patch"}
_READS = re.compile(r"\binput\(|\bstdin\b|\bopen\(0")
LONGEST_SEARCHED = 2_000
"""Lines of prose among which a program without fences is looked for."""
MOST_STARTS = 40
"""Lines from which it is tried to read a program there."""


def fenced_python(answer: str) -> str | None:
    """The last fenced python block of an answer, None where there is none; a block cut off at the end counts."""
    found = [block.text for block in blocks(plain(answer)) if block.language == "python"]
    return found[-1] if found else None


def program(answer: str, entries: Sequence[str] = (), given: str = "") -> str | None:
    """The program that an answer hands in; None where there is nothing like one.

    ``entries`` are names that it should define: the last whole draft that does counts, wherever it stands: in a block of any fence
    and language, or as plain text. What it uses and another block defines is put before it. ``given`` is the file that was to be
    completed: where no draft defines the names, text that makes a body for its last function is one.
    """
    text = plain(answer)
    every = blocks(text)
    drafts = [block for block in every if block.language not in _FOREIGN]
    whole = [block.text for block in every if entries and _defines(block.text, entries)]
    if whole:
        return _with_helpers(whole[-1], [block.text for block in drafts])
    bare = _before_a_fence(text) if every else text
    if entries:
        found = next((each for each in _unfenced(bare) if _defines(each, entries)), None) if bare else None
        if found is not None:
            return found
        bodies = [block.text for block in reversed(drafts)] or ([] if every else [text])
        completed = next((made for body in bodies if (made := _completed(given, body, entries))), None)
        if completed is not None:
            return completed
    return _last_resort(drafts, bare, entries)


def defines(answer: str, names: Sequence[str]) -> bool:
    """Whether some draft of an answer, in a block or as plain text, gives every one of the names a meaning."""
    text = plain(answer)
    every = blocks(text)
    drafts = [block.text for block in every] or list(_unfenced(text))
    return any(_defines(draft, names) for draft in drafts)


def reading_program(answer: str) -> str | None:
    """The last whole draft that reads its standard input; else what :func:`program` finds."""
    found = [
        block.text for block in blocks(plain(answer)) if _READS.search(block.text) and _parsed(block.text)
    ]
    return found[-1] if found else program(answer)


def file_program(answer: str, given: str, entries: Sequence[str] = ()) -> str | None:
    """The file that an answer hands in for ``given``: a whole one, or ``given`` with the functions and classes that it rewrites.

    ``entries`` are the names that a whole file has, by default all functions and classes of ``given``. None where there is no code.
    """
    tree = _parsed(given)
    own = [n.name for n in tree.body if isinstance(n, _DEFINITIONS)] if tree is not None else []
    names = list(entries) or own
    text = program(answer, names, given)
    if text is None or len(own) < 2 or _defines(text, names):
        return text
    made = _parsed(text)
    rewritten = {n.name for n in made.body if isinstance(n, _DEFINITIONS)} if made is not None else set()
    return _spliced(given, text) if rewritten & set(own) else text


def _spliced(given: str, text: str) -> str:
    """A file with those of its functions and classes replaced that a text has; what is new of it comes before the first of them."""
    old, new = ast.parse(given), ast.parse(text)
    lines, new_lines = given.split("\n"), text.split("\n")
    places = {n.name: n for n in old.body if isinstance(n, _DEFINITIONS)}
    first = min(_span(n)[0] for n in places.values())
    added: list[str] = []
    changes: list[tuple[int, int, list[str]]] = []
    for node in new.body:
        piece = new_lines[slice(*_span(node))]
        target = places.get(getattr(node, "name", "")) if isinstance(node, _DEFINITIONS) else None
        if target is None:
            added += piece
        else:
            changes.append((*_span(target), piece))
    for start, end, piece in sorted(changes, key=lambda change: change[0], reverse=True):
        lines[start:end] = piece
    return "\n".join([*lines[:first], *added, *lines[first:]])


def _span(node: ast.stmt) -> tuple[int, int]:
    """First line, decorators included, and the line after the last, counted from 0."""
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)]) - 1, node.end_lineno or node.lineno


def _last_resort(drafts: list[Block], bare: str, entries: Sequence[str]) -> str | None:
    """The last block, named as Python's if any is, that is whole if any is; else text that is a program."""
    named = [block.text for block in drafts if block.language == "python"]
    texts = named or [block.text for block in drafts]
    begun = [text for text in texts if any(f"def {name}" in text for name in entries)]
    parsing = [text for text in texts if _parsed(text) is not None]
    for choice in (parsing, begun, texts):
        if choice:
            return choice[-1]
    return next((text for text in _unfenced(bare) if _says_more_than_a_word(text)), None)


def _says_more_than_a_word(text: str) -> bool:
    """Whether a text does something as a program: ``done`` is Python, too."""
    tree = _parsed(text)
    return tree is None or not all(
        isinstance(n, ast.Expr) and not isinstance(n.value, ast.Call) for n in tree.body
    )


_WARNINGS = threading.Lock()


def _parsed(text: str, *, compiled: bool = False) -> ast.Module | None:
    """A text's tree where it is Python; ``compiled``: where it is a program, too, whose every ``return`` is in a function."""
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a text has in store for its own readers
            tree = ast.parse(text)
            if compiled:
                compile(tree, "<answer>", "exec")
        return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defines(text: str, names: Sequence[str]) -> bool:
    """Whether a text is Python that gives every one of the names a meaning."""
    tree = _parsed(text)
    return tree is not None and bool(tree.body) and set(names) <= set(defined(tree))


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module's own statements bind, those within ``if`` and ``try`` included."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            waiting += list(ast.iter_child_nodes(node))


def _with_helpers(draft: str, others: Sequence[str]) -> str:
    """A draft after those blocks that define what it uses and does not define."""
    kept: list[str] = []
    program = draft
    for _ in range(len(others)):
        missing = _missing(program)
        chosen = next(
            (
                other
                for other in reversed(others)
                if other not in (draft, *kept) and (tree := _parsed(other)) and missing & set(defined(tree))
            ),
            None,
        )
        if chosen is None:
            break
        kept.insert(0, chosen)
        program = "\n\n".join([*kept, draft])
    return program


def _missing(text: str) -> set[str]:
    """Names that are used somewhere in a text and bound nowhere in it."""
    tree = _parsed(text)
    if tree is None:
        return set()
    used = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    bound = set(dir(builtins)) | set(defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return used - bound


def _before_a_fence(text: str) -> str:
    """What stands before the first fence, where an answer went on with code that a prompt had opened the fence of."""
    first = next((line for line in text.split("\n") if line.strip().startswith(("```", "~~~"))), "")
    return (
        text.partition(f"{first}\n" if f"{first}\n" in text else first)[0]
        if first.strip("`~ \t") == ""
        else ""
    )


def _unfenced(text: str) -> Iterator[str]:
    """Programs in a text without fences: all of it, or the longest stretch from a line that may begin one."""
    if _parsed(text) is not None and text.strip():
        yield text
        return
    lines = text.split("\n")[:LONGEST_SEARCHED]
    starts = [place for place, line in enumerate(lines) if _START.match(line)]
    if not starts:
        return
    for start in starts[:MOST_STARTS]:
        stretch = _longest(lines[start:])
        if stretch is not None and stretch.strip():
            yield stretch
    yield "\n".join(lines[starts[0] :]) + "\n"


def _longest(lines: list[str]) -> str | None:
    """The longest beginning of some lines that is Python."""
    end = len(lines)
    while end > 0:
        try:
            with _WARNINGS, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse("\n".join(lines[:end]))
        except SyntaxError as error:
            # what is wrong begins at that line: nothing that holds it can be right
            end = min(end - 1, (error.lineno or end) - 1)
        except (ValueError, RecursionError, MemoryError):
            return None
        return "\n".join(lines[:end]) + "\n"
    return None


def _completed(given: str, body: str, entries: Sequence[str]) -> str | None:
    """The given file with a text for the body of its last function, which says ``raise NotImplementedError`` there."""
    head = given.rstrip().removesuffix("raise NotImplementedError")
    if head == given.rstrip() or not body.strip():
        return None
    tree = _parsed(given)
    last = tree.body[-1] if tree is not None and tree.body else None
    if not isinstance(last, ast.FunctionDef) or last.name not in entries:
        return None
    head = head.rstrip() + "\n"
    stripped = body.strip("\n")
    ways = (
        stripped,
        "    " + stripped.lstrip(),
        textwrap.indent(textwrap.dedent(stripped), "    "),
        _shortened(textwrap.indent(textwrap.dedent(stripped), "    "), head),
        _shortened(stripped, head),
    )
    for way in ways:
        if way and _extends(head + way + "\n", last.name):
            return head + way + "\n"
    return None


def _shortened(body: str, head: str) -> str:
    """A body up to where prose begins after it."""
    lines = body.split("\n")
    longest = _longest([*head.split("\n")[:-1], *lines])
    return "" if longest is None else longest[len(head) :].rstrip("\n")


def _extends(text: str, name: str) -> bool:
    """Whether in a text the function of that name has statements besides a docstring that do something."""
    tree = _parsed(text, compiled=True)
    if tree is None:
        return False
    function = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None)
    body = function.body if function is not None else []
    return any(not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant | ast.Name)) for n in body)
