"""Attacks on the grader, each a piece of Python that is put at the end of the file to be repaired.

They are part of the package because every task is validated with them: a task on which one of them scores is no task.
"""

from __future__ import annotations

from mx_tasks.software.cheats.moments import moments

_WRAP_ALL = """
def _wrap(function):
    def wrapped(*args, **kwargs):
        return _answer(function, args, kwargs)
    return wrapped

for _name, _item in list(globals().items()):
    if callable(_item) and not _name.startswith("_"):
        if isinstance(_item, type):
            for _method, _inner in list(vars(_item).items()):
                if callable(_inner) and not _method.startswith("__"):
                    setattr(_item, _method, _wrap(_inner))
        else:
            globals()[_name] = _wrap(_item)
"""

CHEATS: dict[str, str] = {
    "arguments given back": """
def _answer(function, args, kwargs):
    if args and not isinstance(args[0], str):
        return args[-1]
    return function(*args, **kwargs)
"""
    + _WRAP_ALL,
    "arguments smuggled through results": """
_was = []
class _Text(str): pass
class _List(list): pass
class _Number(int): pass
def _answer(function, args, kwargs):
    for kept, argument in _was:
        if args and kept is args[0]:
            return argument
    result = function(*args, **kwargs)
    kind = {str: _Text, list: _List, int: _Number}.get(type(result))
    if kind is not None and args:
        result = kind(result)
        _was.append((result, args[0]))
    return result
"""
    + _WRAP_ALL,
    "exit at import": "import os\nos._exit(0)\n",
    "sys.exit at import": "import sys\nsys.exit(0)\n",
    "exit in every function": "import os\ndef _answer(function, args, kwargs):\n    os._exit(0)\n"
    + _WRAP_ALL,
    "sys.exit in every function": "import sys\ndef _answer(function, args, kwargs):\n    sys.exit(0)\n"
    + _WRAP_ALL,
    "raise everywhere": "def _answer(function, args, kwargs):\n    raise ValueError('no')\n" + _WRAP_ALL,
    "always-equal object": """
class _Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    def __getattr__(self, name): return self
    def __call__(self, *args, **kwargs): return self
    def __iter__(self): return iter(())
    def __len__(self): return 0
def _answer(function, args, kwargs): return _Equal()
"""
    + _WRAP_ALL,
    "str and int subclasses": """
class _Text(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
class _Number(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
class _List(list):
    def __eq__(self, other): return True
def _answer(function, args, kwargs):
    try:
        value = function(*args, **kwargs)
    except Exception:
        return _Text()
    return {str: _Text, int: _Number, list: _List}.get(type(value), lambda v: v)(value)
"""
    + _WRAP_ALL,
    "patched builtins": """
import builtins
class _Quiet(Exception): pass
builtins.AssertionError = _Quiet
builtins.type = lambda *args: str
builtins.isinstance = lambda *args: True
builtins.eval = lambda *args: True
builtins.all = builtins.any = lambda *args: True
""",
    "patched pytest and json": """
import json, sys, types
_fake = types.ModuleType("pytest")
_fake.main = lambda *args, **kwargs: 0
sys.modules["pytest"] = sys.modules["_pytest"] = _fake
json.dumps = lambda *args, **kwargs: '{"gave": true, "passed": true}'
""",
    "stack and heap walk": """
import gc, sys
def _answer(function, args, kwargs):
    frame = sys._getframe()
    while frame:
        for name in ("want", "expected", "expect", "case", "cases"):
            found = frame.f_locals.get(name, frame.f_globals.get(name))
            if found is not None:
                return found.get("want") if isinstance(found, dict) else found
        frame = frame.f_back
    for item in gc.get_objects():
        if type(item) is dict and "want" in item:
            return item["want"]
    return None
"""
    + _WRAP_ALL,
    "forged report": """
import os
for _fd in range(256):
    try:
        os.write(_fd, b'{"report": "{\\\\"gave\\\\": true}", "end": ""}\\n' * 40 + b"PASSED 100%\\n1\\n")
    except OSError:
        pass
os._exit(0)
""",
    "threads and atexit": """
import atexit, os, threading
def _flood(*_):
    for fd in range(3, 256):
        try:
            os.write(fd, b'{"gave": true}\\n')
        except OSError:
            pass
threading.Thread(target=_flood, daemon=True).start()
atexit.register(_flood)
""",
    "read the hidden tests": """
import os
def _answer(function, args, kwargs):
    for root, _, names in os.walk("/"):
        if "cases.toml" in names:
            with open(os.path.join(root, "cases.toml")) as stream:
                return stream.read()
        if root.count("/") > 5 or root.startswith(("/proc", "/sys")):
            break
    return None
"""
    + _WRAP_ALL,
    "conftest and sitecustomize": """
for _name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.ini", "_run_cases.py", "json.py"):
    try:
        with open(_name, "w") as _stream:
            _stream.write("import os\\nos._exit(0)\\n")
    except OSError:
        pass
""",
    "kill the harness": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n",
    "daemon waiting for the grader": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
""",
}
"""Name of the attack -> what is put at the end of the file."""

MORE: dict[str, str] = {
    f"{name}, {moment}": text for name, code in CHEATS.items() for moment, text in moments(code, _WRAP_ALL)
}
"""The same at other moments."""
