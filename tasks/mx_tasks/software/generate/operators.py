"""Small bugs: operators on a function's syntax tree, each an edit of the source's bytes that leaves all else as it is."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_COMPARE: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "append": "extend",
    "extend": "append",
    "lower": "upper",
    "upper": "lower",
    "startswith": "endswith",
    "endswith": "startswith",
    "lstrip": "rstrip",
    "rstrip": "lstrip",
    "find": "rfind",
    "split": "rsplit",
    "floor": "ceil",
    "ceil": "floor",
    "keys": "values",
    "values": "keys",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A place where an operator can plant a bug: the bytes ``start`` to ``end`` of ``file`` become ``text``."""

    file: str
    operator: str
    function: str
    function_line: int
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        """Tells it from every other site of its library."""
        return f"{self.file}:{self.start}:{self.end}:{self.operator}"

    def plant(self, source: bytes) -> bytes:
        """The source with the bug."""
        return source[: self.start] + self.text.encode() + source[self.end :]


Change = Callable[[ast.AST], ast.AST | str | None]
"""Returns what stands in the node's place, None where the operator has nothing to do there."""


def _comparison(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        node.ops = [_COMPARE[type(node.ops[0])]()]
        return node
    return None


def _boolean(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node
    return None


def _arithmetic(node: ast.AST) -> ast.AST | None:
    if (
        isinstance(node, ast.BinOp)
        and type(node.op) in _ARITHMETIC
        and not isinstance(node.left, ast.Constant | ast.JoinedStr)
    ):
        node.op = _ARITHMETIC[type(node.op)]()
        return node
    return None


def _number(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return ast.Constant(node.value + 1)  # type: ignore[operator]
    return None


def _flag(node: ast.AST) -> ast.AST | None:
    return (
        ast.Constant(not node.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, bool)
        else None
    )


def _negation_dropped(node: ast.AST) -> ast.AST | None:
    return node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) else None


def _sign_dropped(node: ast.AST) -> ast.AST | None:
    return node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else None


def _branches_swapped(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        return node
    return None


def _arguments_swapped(node: ast.AST) -> ast.AST | None:
    if (
        isinstance(node, ast.Call)
        and len(node.args) >= 2
        and not any(isinstance(a, ast.Starred) for a in node.args[:2])
    ):
        node.args[:2] = node.args[1], node.args[0]
        return node
    return None


def _argument_dropped(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Call) and node.keywords and node.keywords[-1].arg:
        node.keywords.pop()
        return node
    return None


def _name(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _NAMES:
            node.func.id = _NAMES[node.func.id]
            return node
        if isinstance(node.func, ast.Attribute) and node.func.attr in _NAMES:
            node.func.attr = _NAMES[node.func.attr]
            return node
    return None


def _slice(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Slice) and (node.lower is not None or node.upper is not None):
        bound = "upper" if node.upper is not None else "lower"
        setattr(node, bound, ast.BinOp(getattr(node, bound), ast.Add(), ast.Constant(1)))
        return node
    return None


def _index(node: ast.AST) -> ast.AST | None:
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and type(node.slice.value) is int
    ):
        node.slice = ast.Constant(-1 if node.slice.value == 0 else 0)
        return node
    return None


def _loop_end(node: ast.AST) -> str | None:
    if isinstance(node, ast.Break):
        return "continue"
    return "break" if isinstance(node, ast.Continue) else None


def _condition(node: ast.AST) -> ast.AST | None:
    return ast.UnaryOp(ast.Not(), node.test) if isinstance(node, ast.While) else None


def _statement_dropped(node: ast.AST) -> str | None:
    plain = isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    return "pass" if plain else None


def _result_dropped(node: ast.AST) -> str | None:
    whole = (
        isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant)
    )
    return "return None" if whole else None


def _text(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 30:
        return ast.Constant(node.value[:-1])
    return None


OPERATORS: Mapping[str, Change] = {
    "comparison": _comparison,
    "boolean": _boolean,
    "arithmetic": _arithmetic,
    "number": _number,
    "flag": _flag,
    "negation dropped": _negation_dropped,
    "sign dropped": _sign_dropped,
    "branches swapped": _branches_swapped,
    "arguments swapped": _arguments_swapped,
    "argument dropped": _argument_dropped,
    "name": _name,
    "slice": _slice,
    "index": _index,
    "loop end": _loop_end,
    "statement dropped": _statement_dropped,
    "result dropped": _result_dropped,
    "text": _text,
}
"""Name -> the change; a bug that is planted has one of these names."""


def sites(file: str, source: bytes) -> list[Site]:
    """Every place in the functions of a file where an operator plants a bug; none in a file that does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return list(_in_functions(file, source, tree, starts))


def _in_functions(file: str, source: bytes, tree: ast.Module, starts: list[int]) -> Iterator[Site]:
    waiting: list[tuple[ast.AST, str, ast.FunctionDef | ast.AsyncFunctionDef | None]] = [(tree, "", None)]
    while waiting:
        parent, path, function = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                waiting += [(_Body(body=node.body), f"{path}{node.name}", node)]
                continue
            if isinstance(node, ast.ClassDef):
                waiting.append((node, f"{path}{node.name}.", None))
                continue
            if function is not None and not _is_text(node):
                yield from _changes(file, source, node, path, function, starts)
            if not isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
                waiting.append((node, path, function))


class _Body(ast.AST):
    """A function's statements without its signature and decorators, which run when the module is imported."""

    _fields = ("body",)

    def __init__(self, body: list[ast.stmt]) -> None:
        super().__init__()
        self.body = body


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(
    file: str,
    source: bytes,
    node: ast.AST,
    path: str,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    starts: list[int],
) -> Iterator[Site]:
    for name, change in OPERATORS.items():
        changed = change(copy.deepcopy(node))
        if changed is None:
            continue
        target = node.test if isinstance(node, ast.While) else node
        start = starts[target.lineno - 1] + target.col_offset  # type: ignore[attr-defined]
        end = starts[target.end_lineno - 1] + target.end_col_offset  # type: ignore[attr-defined]
        text = changed if isinstance(changed, str) else ast.unparse(ast.fix_missing_locations(changed))
        if isinstance(changed, ast.expr) and not isinstance(changed, ast.Slice | ast.Constant | ast.Name):
            text = f"({text})" if _needs_parentheses(changed) else text
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        site = Site(file, name, path, first, start, end, text)
        if source[start:end].decode(errors="replace") != text:
            yield site


def _needs_parentheses(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.UnaryOp)
