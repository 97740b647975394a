"""When a cheat in code does what it does: at the first call, in a thread, a little later; instead of at once."""

from __future__ import annotations

from collections.abc import Iterator

_LATER = """
_code = {code!r}
def _answer(function, args, kwargs):
    global _code
    code, _code = _code, ""
    if code:
        exec(code, globals())
    return function(*args, **kwargs)
"""
_THREAD = """
import threading as _threading
_threading.Thread(target=lambda: exec({code!r}, globals()), daemon=True).start()
"""
_TIMER = """
import threading as _threading
_timer = _threading.Timer(0.05, lambda: exec({code!r}, globals()))
_timer.daemon = True
_timer.start()
"""


def moments(code: str, wrap_all: str) -> Iterator[tuple[str, str]]:
    """A cheat's code for other moments, with the moment's name; ``wrap_all`` is what hands all calls to a function ``_answer``."""
    if wrap_all in code:
        return
    yield "at the first call", _LATER.format(code=code) + wrap_all
    yield "in a thread", _THREAD.format(code=code)
    yield "a little later", _TIMER.format(code=code)
