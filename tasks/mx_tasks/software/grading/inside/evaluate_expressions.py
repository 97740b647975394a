"""Runs inside the grading sandbox: evaluate answers on input vectors and print the values; holds no expected value.

stdin: for each answer eight digits, the length of the JSON text that follows:
``{"answer": str, "inputs": [[int, ...], ...], "names": [str, ...]}``.
stdout: one JSON line per answer, a list of integers or null. An answer that is nothing but arithmetic on the variables runs here:
it can only have a value. Any other runs in a process of its own that can start no other and was forked before the next answer
was read, so that none can change, end, outlive or see another.
"""

import ast
import json
import os
import re
import resource
from types import CodeType
from typing import Any, Dict, Iterator, List, Optional

LARGEST_BITS = 4096
LARGEST_REPORT = 60_000
LARGEST_MEMORY = 160 << 20
LARGEST_FORMULA = 200
FORMULA = re.compile(r"[\s()a-z0-9+*&^|-]*$")
ARITHMETIC = (ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Load)


def values(answer: str, vectors: List[List[int]], names: List[str]) -> List[int]:
    """The answer's value on each vector; raises whatever the answer raises."""
    return run(compile(answer.strip(), "<answer>", "eval"), vectors, names)


def run(code: CodeType, vectors: List[List[int]], names: List[str]) -> List[int]:
    """The value of compiled code on each vector; raises whatever it raises."""
    results = []
    for vector in vectors:
        value = eval(code, dict(zip(names, vector)))
        if type(value) is not int or value.bit_length() > LARGEST_BITS:
            raise TypeError("an answer's value must be an int of moderate size")
        results.append(value)
    return results


def arithmetic(answer: str, names: List[str]) -> Optional[CodeType]:
    """The answer's code when it is a short formula over the variables and small integers without powers or shifts, else None."""
    if len(answer) > LARGEST_FORMULA or not FORMULA.match(answer):
        return None
    try:
        tree = ast.parse(answer.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree.body):
        if isinstance(node, ast.Name):
            plain = node.id in names
        elif isinstance(node, ast.Constant):
            plain = type(node.value) is int
        else:
            plain = isinstance(node, ARITHMETIC)
        if not plain:
            return None
    return compile(tree, "<answer>", "eval")


def evaluate(answer: str, vectors: List[List[int]], names: List[str]) -> str:
    """The JSON text of the answer's values; ``null`` when it fails in any way."""
    code = arithmetic(answer, names)
    return evaluate_apart(answer, vectors, names) if code is None else json.dumps(run(code, vectors, names))


def evaluate_apart(answer: str, vectors: List[List[int]], names: List[str]) -> str:
    """The JSON text of the answer's values, computed in a forked process; ``null`` when it fails in any way."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        silence()
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
            resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
            text = json.dumps(values(answer, vectors, names))
        except BaseException:
            text = "null"
        os.write(writing, text.encode()[:LARGEST_REPORT])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        reported = stream.read(LARGEST_REPORT)
    os.waitpid(child, 0)
    try:
        results = json.loads(reported)
    except ValueError:
        return "null"
    whole = isinstance(results, list) and all(type(value) is int for value in results)
    return json.dumps(results if whole else None)


def silence() -> None:
    """Nothing to read for an answer, and nobody to hear what it prints."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def requests() -> Iterator[Dict[str, Any]]:
    """The requests on stdin, none read before it is its turn."""
    while True:
        head = os.read(0, 8)
        if not head:
            return
        text = b""
        while len(text) < int(head):
            text += os.read(0, int(head) - len(text))
        yield json.loads(text)


def main() -> None:
    """Answer every request."""
    for request in requests():
        print(evaluate(request["answer"], request["inputs"], request["names"]), flush=True)


main()
