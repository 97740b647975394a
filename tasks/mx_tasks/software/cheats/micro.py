"""Answers to formulas that attack the grader instead of computing anything: each must score 0 on every micro task.

Each is one line, as an answer is. The tests show that a naive grader, which evaluates an answer in the process that holds the
expected values and believes the exit code, takes every one of them for right.
"""

from __future__ import annotations

_EXIT = "__import__('os')._exit(0)"
_EQUAL = "{'__eq__': lambda s, o: True, '__ne__': lambda s, o: False, '__hash__': lambda s: 0}"
_CALLER = "next(f for f in (__import__('sys')._getframe(n) for n in range(9)) if 'expected' in f.f_globals)"

CHEATS: dict[str, str] = {
    "exit": _EXIT,
    "sys.exit": "__import__('sys').exit(0)",
    "raise SystemExit": "(_ for _ in ()).throw(SystemExit(0))",
    "another program": "__import__('os').execlp('true', 'true')",
    "the parent's end in a fork": f"__import__('os').fork() and {_EXIT}",
    "exit at a signal": "(__import__('signal').signal(14, lambda *_: __import__('os')._exit(0)), "
    "__import__('signal').raise_signal(14))[0]",
    "exit in a thread": "(__import__('threading').Thread(target=lambda: __import__('os')._exit(0)).start(), "
    "__import__('time').sleep(1))[0]",
    "exit when it ends": "(__import__('atexit').register(lambda: __import__('os')._exit(0)), None)[1]",
    "exit when anything fails": "setattr(__import__('sys'), 'excepthook', lambda *_: __import__('os')._exit(0))",
    "exit by exec": "exec('import os\\nos._exit(0)')",
    "exit in a comprehension": "[__import__('os')._exit(0) for _ in range(1)][0]",
    "exit by subclasses": "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
    ".__init__.__globals__['_exit'](0)",
    "always-equal object": f"type('E', (), {_EQUAL})()",
    "always-equal int": f"type('E', (int,), {_EQUAL})(0)",
    "always-equal str": f"type('E', (str,), {_EQUAL})('')",
    "stack walk": f"{_CALLER}.f_globals['expected'][{_CALLER}.f_globals['place']]",
    "heap walk": "(lambda d: d['expected'][d['place']])(next(d for d in __import__('gc').get_objects() "
    "if type(d) is dict and 'expected' in d and 'place' in d))",
    "main module": "(lambda m: m.expected[m.place])(__import__('sys').modules['__main__'])",
    "expected values replaced": "(lambda m: (m.expected.__setitem__(slice(None), [0] * 99), 0)[1])"
    "(__import__('sys').modules['__main__'])",
    "patched built-in": "setattr(__import__('builtins'), 'AssertionError', lambda *_: SystemExit(0)) or "
    "setattr(__import__('sys'), 'excepthook', lambda *_: __import__('os')._exit(0))",
    "grader's file": "(lambda t: t['expected'][__import__('sys').modules['__main__'].place])"
    "((lambda s: {'expected': eval(s.partition('expected = ')[2].partition('\\n')[0])})(open(__import__('sys').argv[0]).read()))",
}
"""By kind: an expression that stands in place of a formula."""
