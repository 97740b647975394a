"""Functions are judged where they are not: right ones in every way of writing them, wrong ones whatever they reach for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mx_sandboxes import Limits, Sandbox, open_sandbox
from mx_tasks import Submission, Task
from mx_tasks.software.grading.calls import Served, judge_calls
from mx_tasks.software.imports.importing import import_functions
from mx_tasks.software.sets.directories import DirectoryTasks

MARK = "mark7731"
"""Stands in the hidden tests and in the reference, and nowhere else."""
PEAK = {
    "task_id": 466,
    "text": "Write a function to find the place of a peak.",
    "code": f"import bisect\nLIMIT = '{MARK}'\n\ndef peak_of(values, low, high):\n"
    "    return values.index(max(values))\n\n\ndef peak(values):\n    return peak_of(values, 0, len(values) - 1)\n",
    "test_list": [
        "assert peak([1, 3, 2]) == 1",
        f"assert peak([5, 4, 3, 2]) == 0, '{MARK}'",
        "assert peak([1, 2, 3, 9, 4]) == 3",
    ],
    "test_setup_code": "",
}
PAIRS = {
    "task_id": "HumanEval/930",
    "prompt": "from typing import List\n\n\ndef double(x):\n    return 2 * x\n\n\n"
    "def pairs(values: List[int]) -> List[tuple]:\n    '''Neighbours, doubled.'''\n",
    "entry_point": "pairs",
    "canonical_solution": "    return [(double(a), double(b)) for a, b in zip(values, values[1:])]\n",
    "test": "def check(candidate):\n    assert candidate([1, 2, 3]) == [(2, 4), (4, 6)]\n"
    f"    assert candidate([1]) == [], '{MARK}'\n"
    "    import random\n    for _ in range(20):\n        v = [random.randint(0, 9) for _ in range(5)]\n"
    "        assert candidate(v) == [(double(a), double(b)) for a, b in zip(v, v[1:])]\n"
    "    assert candidate([x for p in candidate([1, 2]) for x in p]) == [(4, 8)]\n",
}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with open_sandbox(slots=2) as opened:
        yield opened


def one_task(box: Sandbox, kind: str, entry: dict[str, object], folder: Path) -> tuple[DirectoryTasks, Task]:
    (folder / "data.jsonl").write_text(json.dumps(entry))
    said: list[str] = []
    assert list(import_functions(kind, folder / "data.jsonl", folder / "out", box, said.append)), said
    task_set = DirectoryTasks(folder / "out")
    return task_set, task_set.task("test", 0)


@pytest.fixture(scope="module")
def peak(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[DirectoryTasks, Task]:
    return one_task(box, "mbpp", PEAK, tmp_path_factory.mktemp("peak"))


@pytest.fixture(scope="module")
def pairs(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[DirectoryTasks, Task]:
    return one_task(box, "humaneval", PAIRS, tmp_path_factory.mktemp("pairs"))


RIGHT_PEAKS = {
    "leaves a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    "def peak(values):\n    return values.index(max(values))",
    "leaves a pool": "from concurrent.futures import ThreadPoolExecutor\n_pool = ThreadPoolExecutor(2)\ndef peak(values):\n"
    "    return _pool.submit(lambda: values.index(max(values))).result()",
    "plain": "def peak(values):\n    return values.index(max(values))",
    "prints": "print('x' * 100)\ndef peak(values):\n    print(values)\n    return values.index(max(values))",
    "a subclass of int": "class N(int):\n    pass\ndef peak(values):\n    return N(values.index(max(values)))",
    "a fraction": "from fractions import Fraction\ndef peak(values):\n    return Fraction(values.index(max(values)), 1)",
    "a float": "def peak(values):\n    return float(values.index(max(values)))",
    "a decimal": "from decimal import Decimal\ndef peak(values):\n    return Decimal(values.index(max(values)))",
    "changes its argument": "def peak(values):\n    v = list(values)\n    values.sort()\n    return v.index(values[-1])",
    "a class that is called": "class P:\n    def __call__(self, values):\n        return values.index(max(values))\n"
    "peak = P()",
    "a cache": "import functools\n@functools.lru_cache\ndef _p(values):\n    return values.index(max(values))\n"
    "def peak(values):\n    return _p(tuple(values))",
    "own processes": "import subprocess, sys\ndef peak(values):\n    code = f'print({values}.index(max({values})))'\n"
    "    return int(subprocess.run([sys.executable, '-c', code], capture_output=True).stdout)",
    "its own tests": "def peak(values):\n    return values.index(max(values))\nassert peak([1, 2]) == 1\n"
    "if __name__ == '__main__':\n    import unittest\n    unittest.main()",
}
FOUND_OUT = """
import gc, glob, re
WORD = re.compile(b'[m]ark7731')  # so that it does not find itself
def _regions():
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
        for line in maps:
            low, high = (int(word, 16) for word in line.split()[0].split('-'))
            try:
                memory.seek(low)
                yield memory.read(min(high - low, 1 << 26)) or b''
            except (OSError, OverflowError, ValueError):
                pass
def _files():
    places = glob.glob('**/*', recursive=True) + glob.glob('/tmp/**/*', recursive=True)
    for place in places + ['/proc/self/environ', '/proc/self/cmdline']:
        try:
            with open(place, 'rb') as file:
                yield file.read()
        except OSError:
            pass
SEEN = any(WORD.search(data) for look in (_files, _regions) for data in look())
def peak(values):
    return values.index(max(values)) if SEEN else None
"""
WRONG_PEAKS = {
    "no helper": "def peak(values):\n    return peak_of(values, 0, len(values) - 1)",
    "an import of the reference's": "def peak(values):\n    bisect.bisect\n    return values.index(max(values))",
    "a constant of the reference's": "def peak(values):\n    LIMIT\n    return values.index(max(values))",
    "always one": "def peak(values):\n    return 1",
    "nothing": "def peak(values):\n    return None",
    "equal to everything": "class E:\n    def __eq__(self, other): return True\n    __hash__ = None\n"
    "def peak(values):\n    return E()",
    "an int equal to everything": "class E(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
    "def peak(values):\n    return E(7)",
    "a generator": "def peak(values):\n    yield values.index(max(values))",
    "a text": "def peak(values):\n    return str(values.index(max(values)))",
    "looks everywhere": FOUND_OUT,
    "ends the process": "import os\ndef peak(values):\n    os._exit(0)",
    "ends it at once": "import os\nos._exit(0)",
    "leaves the interpreter": "import sys\ndef peak(values):\n    sys.exit(0)",
    "ends at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef peak(values):\n    return None",
    "never ends": "def peak(values):\n    while True:\n        try:\n            while True: pass\n"
    "        except BaseException: pass",
    "never loads": "while True: pass\ndef peak(values): pass",
    "sleeps": "import time\ndef peak(values):\n    time.sleep(1000)",
    "uses up memory": "def peak(values):\n    return [0] * (1 << 34)",
    "does not parse": "def peak(values):\n    return values.index(max(values)",
    "raises at import": "raise AssertionError\ndef peak(values): pass",
    "forged lines": "import os, json\ndef peak(values):\n    for fd in range(1, 64):\n        for n in range(9):\n"
    "            try:\n"
    '                os.write(fd, b\'[%d, "gave", 0]\\n{"test": "x", "outcome": "passed"}\\n\' % n)\n'
    "            except OSError: pass",
}
FLAGGED_PEAKS = {
    "ends the process": WRONG_PEAKS["ends the process"],
    "ends it at once": WRONG_PEAKS["ends it at once"],
    "forks and stops its parent": "import os, signal, time\nif os.fork() == 0:\n    time.sleep(0.2)\n"
    "    os.kill(os.getppid(), signal.SIGSTOP)\n    time.sleep(0.2)\n    open('report.xml', 'w').write('<testsuites/>')\n"
    "    os._exit(0)\ndef peak(values):\n    time.sleep(0.5)\n    return None",
    "kills everyone": "import os, signal\ndef peak(values):\n    os.kill(-1, signal.SIGKILL)",
    "walks up the stack": "import sys\ndef peak(values):\n    frame = sys._getframe()\n    while frame.f_back:\n"
    "        frame = frame.f_back\n"
    "        for value in frame.f_locals.values():\n            if isinstance(value, dict) and 'expected' in value:\n"
    "                return value['expected']",
    "profiles": "import sys\ndef _see(frame, event, argument):\n    pass\nsys.setprofile(_see)\ndef peak(values):\n"
    "    return None",
    "traces threads": "import sys, threading\nthreading.settrace(lambda *_: None)\nsys.settrace(lambda *_: None)\n"
    "def peak(values):\n    return None",
    "searches memory": "import gc\ndef peak(values):\n"
    "    return next((o for o in gc.get_objects() if o == 'expected'), None)",
    "asks who refers": "import gc\ndef peak(values):\n    gc.get_referrers(values)\n    return None",
    "reads a neighbour's memory": "import os\ndef peak(values):\n    try:\n"
    "        open('/proc/%d/mem' % os.getppid(), 'rb').read(1)\n"
    "    except OSError:\n        pass\n    return None",
    "equal to everything": "class E:\n    def __eq__(self, other): return True\ndef peak(values):\n    return E()",
    "forged lines": WRONG_PEAKS["forged lines"],
    "a thread that forks": "import os, threading\ndef _go():\n    if os.fork() == 0:\n        os._exit(0)\n"
    "threading.Thread(target=_go).start()\ndef peak(values):\n    return None",
    "a thread that forks a little later": "import os, threading, time\ndef _go():\n    time.sleep(0.1)\n    if os.fork() == 0:\n"
    "        os._exit(0)\nthreading.Thread(target=_go).start()\ndef peak(values):\n    return None",
    "a bare thread that forks": "import os, _thread\ndef _go():\n    if os.fork() == 0:\n        os._exit(0)\n"
    "def peak(values):\n    _thread.start_new_thread(_go, ())\n    return None",
}


@pytest.mark.parametrize("name", RIGHT_PEAKS)
def test_a_right_function_is_right_however_it_is_written(
    box: Sandbox, peak: tuple[DirectoryTasks, Task], name: str
) -> None:
    task_set, task = peak
    grade = task_set.grade(task, Submission(f"```python\n{RIGHT_PEAKS[name]}\n```"), box)
    assert (grade.score, grade.passed, grade.tampered) == (1.0, True, False), grade.log


@pytest.mark.parametrize("name", WRONG_PEAKS)
def test_a_wrong_function_scores_nothing(box: Sandbox, peak: tuple[DirectoryTasks, Task], name: str) -> None:
    task_set, task = peak
    grade = task_set.grade(task, Submission(files={"solution.py": WRONG_PEAKS[name].encode()}), box)
    assert (grade.score, grade.passed) == (0.0, False), grade.log


@pytest.mark.parametrize("name", FLAGGED_PEAKS)
def test_what_reaches_for_its_judge_is_flagged(
    box: Sandbox, peak: tuple[DirectoryTasks, Task], name: str
) -> None:
    task_set, task = peak
    grade = task_set.grade(task, Submission(files={"solution.py": FLAGGED_PEAKS[name].encode()}), box)
    assert (grade.score, grade.passed, grade.tampered) == (0.0, False, True), grade.log


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("def pairs(values):\n    return [(2 * a, 2 * b) for a, b in zip(values, values[1:])]", True),
        ("def pairs(values: List[int]):\n    return [(double(a), double(b)) for a, b in zip(values, values[1:])]", True),
        ("    return [(double(a), double(b)) for a, b in zip(values, values[1:])]", True),
        ("from collections import namedtuple\nP = namedtuple('P', 'a b')\n"
         "def pairs(values):\n    return [P(2 * a, 2 * b) for a, b in zip(values, values[1:])]", True),
        ("class L(list): pass\ndef pairs(values):\n    return L((2 * a, 2 * b) for a, b in zip(values, values[1:]))", True),
        ("def pairs(values):\n    return ((2 * a, 2 * b) for a, b in zip(values, values[1:]))", False),
        ("def pairs(values):\n    return [[2 * a, 2 * b] for a, b in zip(values, values[1:])]", False),
        ("def pairs(values):\n    return tuple((2 * a, 2 * b) for a, b in zip(values, values[1:]))", False),
        ("def pairs(values, kind=Sequence):\n    return [(2 * a, 2 * b) for a, b in zip(values, values[1:])]", False),
    ],
)  # fmt: skip
def test_what_the_publisher_compares_is_compared(
    box: Sandbox, pairs: tuple[DirectoryTasks, Task], answer: str, right: bool
) -> None:
    task_set, task = pairs
    grade = task_set.grade(task, Submission(answer), box)
    assert grade.passed is right, grade.log
    assert grade.score == float(right)


SHAPES = """
import collections, datetime, decimal, enum, fractions, array
class Kind(enum.IntEnum):
    ONE = 1
class Word(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
def give(name):
    return {
        'big': 10 ** 6000, 'nan': float('nan'), 'inf': -float('inf'), 'minus': -0.0, 'complex': 1 + 2j,
        'bytes': b'ab', 'array': bytearray(b'ab'), 'set': {1, 2}, 'frozen': frozenset({(1, 2)}), 'enum': Kind.ONE,
        'word': Word('x'), 'range': range(1, 9, 2), 'deque': collections.deque([1]), 'counter': collections.Counter('aab'),
        'ordered': collections.OrderedDict(a=1), 'default': collections.defaultdict(int, a=1), 'keys': {'a': 1}.keys(),
        'items': {'a': 1}.items(), 'fraction': fractions.Fraction(1, 3), 'decimal': decimal.Decimal('1.10'),
        'day': datetime.date(2024, 2, 29), 'time': datetime.timedelta(hours=25), 'kind': int, 'surrogate': chr(0xd800),
        'numbers': array.array('i', [1, 2]), 'map': map(str, [1]), 'nested': [({1: [None, True]},)], 'object': object(),
    }[name]
def fail(name):
    class Own(ValueError): pass
    raise {'own': Own('it'), 'key': KeyError('k'), 'exit': SystemExit(0), 'assertion': AssertionError('no')}[name]
"""
HIDDEN = """
import math, datetime, decimal, fractions, collections, array
import pytest
from mx_oracle import function
give, fail = function('give'), function('fail')
def test_numbers():
    assert give('big') == 10 ** 6000 and math.isnan(give('nan')) and give('inf') == float('-inf')
    assert math.copysign(1, give('minus')) == -1 and give('complex') == 1 + 2j
    assert give('enum') == 1 and give('fraction') == fractions.Fraction(1, 3) and give('decimal') == decimal.Decimal('1.1')
def test_containers():
    assert give('bytes') == b'ab' == give('array') and give('set') == {2, 1} and give('frozen') == {(1, 2)}
    assert give('range') == range(1, 9, 2) and list(give('deque')) == [1] and give('deque') != [1]
    assert give('counter') == {'a': 2, 'b': 1} and give('ordered') == {'a': 1} == give('default')
    assert give('keys') == {'a'} and give('items') == {('a', 1)} and list(give('map')) == ['1']
    assert give('nested') == [({1: [None, True]},)] and give('numbers') == array.array('i', [1, 2])
def test_moments():
    assert give('day') == datetime.date(2024, 2, 29) and give('time') == datetime.timedelta(1, 3600)
    assert give('kind') is int and give('surrogate') == chr(0xd800)
def test_a_word_is_the_text_that_it_holds():
    assert give('word') == 'x' and give('word') != 'y'
def test_an_object_equals_nothing():
    assert give('object') and give('object') != give('object')
def test_errors():
    with pytest.raises(ValueError, match='it'):
        fail('own')
    with pytest.raises(LookupError):
        fail('key')
    with pytest.raises(AssertionError):
        fail('assertion')
@pytest.mark.parametrize('name,want', [('enum', 1), ('word', 'x')])
def test_cases(name, want):
    assert give(name) == want
def test_leaving_is_no_error_that_a_test_may_expect():
    try:
        fail('exit')
    except Exception:
        pass
def test_what_is_not_there_is_no_error_that_a_test_may_expect():
    with pytest.raises(Exception):
        function('other')(1).upper()
"""


def test_values_cross_as_what_they_equal(box: Sandbox) -> None:
    served = Served(file="m.py", module="m", entries=("give", "fail"))
    said = judge_calls(
        box, {"test_m.py": HIDDEN.encode()}, {"m.py": SHAPES.encode()}, served, Limits(wall_s=20, cpu_s=20)
    )
    failed = {test: said.messages.get(test) for test, outcome in said.outcomes.items() if outcome != "passed"}
    assert set(failed) == {"test_m.py::test_leaving_is_no_error_that_a_test_may_expect"}, failed
    assert len(said.outcomes) == 10


def test_a_judge_that_cannot_run_is_no_verdict_on_the_submission(box: Sandbox) -> None:
    from mx_tasks.task import GradingError

    served = Served(file="m.py", module="m", entries=("give",))
    with pytest.raises(GradingError, match="test_m"):
        judge_calls(box, {"test_m.py": b"import nothing_of_the_kind\n"}, {"m.py": b""}, served, Limits())
