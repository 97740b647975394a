"""Plain values as JSON and back, for a judge and for the submission that it never shares a process with.

A value keeps its class where equality depends on it; what compares equal in Python compares equal on the other side. Of a
subclass only its content crosses (a ``str`` whose ``__eq__`` says yes to everything is the text that it holds), of any other
object whether it is true, how it prints and what it iterates over: an ``Opaque``, equal to nothing. Instances of classes that the
tests bring themselves (``support`` modules, such as QuixBugs' ``node``) cross with their attributes and keep their identity within
a call.
"""

import array
import builtins
import collections
import datetime as dt
import decimal
import fractions
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

DEEPEST = 80
MOST_ITEMS = 200_000
LONGEST_TEXT = 2_000
SMALL = 1 << 53
Form = Any
"""None, bool, a small int, a str, or a list that begins with its kind."""


class NoFormError(TypeError):
    """A value that cannot cross: nested too deeply, or too large."""


class Opaque:
    """An object that stays on the other side. It equals nothing but itself."""

    def __init__(self, truth: Optional[bool], text: Optional[str], items: Optional[List[Any]]) -> None:
        self._truth, self._text, self._items = truth, text, items

    def __bool__(self) -> bool:
        if self._truth is None:
            raise TypeError("its truth cannot be told")
        return self._truth

    def __str__(self) -> str:
        return "an object" if self._text is None else self._text

    __repr__ = __str__

    def __iter__(self) -> Any:
        if self._items is None:
            raise TypeError("it is not iterable")
        return iter(self._items)

    def __len__(self) -> int:
        if self._items is None:
            raise TypeError("it has no length")
        return len(self._items)


_VIEWS: Tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_VIEW_NAMES = ("keys", "values", "items")
_SEQUENCES: Tuple[Tuple[str, type], ...] = (
    ("deque", collections.deque),
    ("list", list),
    ("tuple", tuple),
    ("set", set),
    ("frozenset", frozenset),
)
_MAPPINGS: Tuple[Tuple[str, type], ...] = (
    ("odict", collections.OrderedDict),
    ("counter", collections.Counter),
    ("dict", dict),
)
_MOMENTS: Tuple[Tuple[str, type], ...] = (
    ("datetime", dt.datetime),
    ("date", dt.date),
    ("time", dt.time),
)


class Encoder:
    """Writes the forms of one message. ``known`` are instances that came from the other side, by their number there."""

    def __init__(self, support: Sequence[str] = (), known: Optional[Dict[int, Any]] = None) -> None:
        self._support = frozenset(support)
        self._numbers: Dict[int, int] = {id(item): number for number, item in (known or {}).items()}
        self._written: Dict[int, Any] = {}
        self._next = 1 + max((known or {}), default=-1)
        self._items = 0
        self.equal_to_all = False

    def encode(self, value: Any, depth: int = 0) -> Form:
        """The form of any value. Raises NoFormError; whatever the value's own methods raise passes through."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if depth > DEEPEST:
            raise NoFormError("nested too deeply")
        self._items += 1
        if self._items > MOST_ITEMS:
            raise NoFormError("too many values")
        for write in (self._scalar, self._container, self._rare, self._instance):
            form = write(value, kind, depth)
            if form is not None:
                return form
        return self._opaque(value, kind, depth)

    def instances(self) -> Dict[int, Any]:
        """The instances of support classes that were written, by number."""
        return {self._numbers[place]: item for place, item in self._written.items()}

    def _scalar(self, value: Any, kind: type, _: int) -> Form:
        if issubclass(kind, str):
            return str.__str__(value)
        if issubclass(kind, int):
            number = int.__int__(value)
            return number if -SMALL < number < SMALL else ["int", hex(number)]
        if issubclass(kind, float):
            return ["float", float.__repr__(value)]
        if issubclass(kind, complex):
            return ["complex", float.__repr__(value.real), float.__repr__(value.imag)]
        if issubclass(kind, (bytes, bytearray)):
            return ["bytes" if issubclass(kind, bytes) else "bytearray", bytes(memoryview(value)).hex()]
        return None

    def _container(self, value: Any, kind: type, depth: int) -> Form:
        for name, base in _SEQUENCES:
            if issubclass(kind, base):
                return [name, *(self.encode(item, depth + 1) for item in base.__iter__(value))]  # type: ignore[attr-defined]
        for name, base in _MAPPINGS:
            if issubclass(kind, base):
                return [name, *self._pairs(dict.items(value), depth)]
        for name, base in zip(_VIEW_NAMES, _VIEWS):
            if kind is base and name == "items":
                return [name, *self._pairs(value, depth)]
            if kind is base:
                return [name, *(self.encode(item, depth + 1) for item in value)]
        return None

    def _pairs(self, pairs: Any, depth: int) -> List[Form]:
        return [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in pairs]

    def _rare(self, value: Any, kind: type, depth: int) -> Form:
        if kind is range:
            return ["range", *(self.encode(part) for part in (value.start, value.stop, value.step))]
        if issubclass(kind, fractions.Fraction):
            return ["fraction", str(int(value.numerator)), str(int(value.denominator))]
        if issubclass(kind, decimal.Decimal):
            return ["decimal", decimal.Decimal.__str__(value)]
        for name, base in _MOMENTS:
            if kind is base and getattr(value, "tzinfo", None) is None:
                return [name, value.isoformat()]
        if kind is dt.timedelta:
            return ["timedelta", value.days, value.seconds, value.microseconds]
        if kind is array.array:
            return ["array", value.typecode, *(self.encode(item, depth + 1) for item in value)]
        if issubclass(kind, type):
            name = str(value.__name__)
            return ["type", name] if getattr(builtins, name, None) is value else None
        if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
            return self.encode(value.item(), depth + 1)
        return None

    def _instance(self, value: Any, kind: type, depth: int) -> Form:
        if kind.__module__ not in self._support:
            return None
        if id(value) in self._written:
            return ["ref", self._numbers[id(value)]]
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = self._next
            self._next += 1
        self._written[id(value)] = value
        attributes = [[str(name), self.encode(item, depth + 1)] for name, item in vars(value).items()]
        return ["object", number, kind.__module__, kind.__qualname__, *attributes]

    def _opaque(self, value: Any, kind: type, depth: int) -> Form:
        if hasattr(kind, "__next__"):
            return ["iterator", *self._drawn(value, depth)]
        try:
            self.equal_to_all = self.equal_to_all or value == object()
        except Exception:
            pass
        try:
            truth: Optional[bool] = bool(value)
        except Exception:
            truth = None
        try:
            text: Optional[str] = str.__str__(str(value))[:LONGEST_TEXT]
        except Exception:
            text = None
        items = None
        if hasattr(kind, "__iter__"):
            try:
                items = self._drawn(iter(value), depth)
            except NoFormError:
                raise
            except Exception:
                items = None
        return ["opaque", truth, text, items]

    def _drawn(self, iterator: Any, depth: int) -> List[Form]:
        return [self.encode(item, depth + 1) for item in iterator]


def _mapping(make: Callable[[], Any], pairs: Sequence[Any], decode: Callable[[Form], Any]) -> Any:
    made = make()
    for key, item in pairs:
        made[decode(key)] = decode(item)
    return made


class Decoder:
    """Reads the forms of one message. ``objects`` are the instances that they speak of, by number; it grows."""

    def __init__(self, support: Sequence[str] = (), objects: Optional[Dict[int, Any]] = None) -> None:
        self._support = frozenset(support)
        self.objects: Dict[int, Any] = {} if objects is None else objects

    def decode(self, form: Form) -> Any:
        """The value of a form. Raises ValueError, TypeError or another error of its parts where it is none."""
        if form is None or type(form) in (bool, int, str):
            return form
        if type(form) is not list or not form or type(form[0]) is not str:
            raise ValueError("no form of a value")
        read = getattr(self, "_read_" + form[0], None)
        if read is None:
            raise ValueError("an unknown kind of value")
        return read(*form[1:])

    def _all(self, items: Sequence[Form]) -> List[Any]:
        return [self.decode(item) for item in items]

    def _read_int(self, digits: str) -> int:
        return int(digits, 16)

    def _read_float(self, text: str) -> float:
        return float(text)

    def _read_complex(self, real: str, imaginary: str) -> complex:
        return complex(float(real), float(imaginary))

    def _read_bytes(self, digits: str) -> bytes:
        return bytes.fromhex(digits)

    def _read_bytearray(self, digits: str) -> bytearray:
        return bytearray.fromhex(digits)

    def _read_list(self, *items: Form) -> Any:
        return self._all(items)

    def _read_tuple(self, *items: Form) -> Any:
        return tuple(self._all(items))

    def _read_set(self, *items: Form) -> Any:
        return set(self._all(items))

    def _read_frozenset(self, *items: Form) -> Any:
        return frozenset(self._all(items))

    def _read_deque(self, *items: Form) -> Any:
        return collections.deque(self._all(items))

    def _read_iterator(self, *items: Form) -> Any:
        return iter(self._all(items))

    def _read_dict(self, *pairs: Any) -> Any:
        return _mapping(dict, pairs, self.decode)

    def _read_odict(self, *pairs: Any) -> Any:
        return _mapping(collections.OrderedDict, pairs, self.decode)

    def _read_counter(self, *pairs: Any) -> Any:
        return _mapping(collections.Counter, pairs, self.decode)

    def _read_keys(self, *items: Form) -> Any:
        return dict.fromkeys(self._all(items)).keys()

    def _read_values(self, *items: Form) -> Any:
        return dict(enumerate(self._all(items))).values()

    def _read_items(self, *pairs: Any) -> Any:
        return self._read_dict(*pairs).items()

    def _read_range(self, *parts: Form) -> Any:
        return range(*self._all(parts))

    def _read_fraction(self, above: str, below: str) -> Any:
        return fractions.Fraction(int(above), int(below))

    def _read_decimal(self, text: str) -> Any:
        return decimal.Decimal(text)

    def _read_datetime(self, text: str) -> Any:
        return dt.datetime.fromisoformat(text)

    def _read_date(self, text: str) -> Any:
        return dt.date.fromisoformat(text)

    def _read_time(self, text: str) -> Any:
        return dt.time.fromisoformat(text)

    def _read_timedelta(self, days: int, seconds: int, microseconds: int) -> Any:
        return dt.timedelta(days, seconds, microseconds)

    def _read_array(self, code: str, *items: Form) -> Any:
        return array.array(code, self._all(items))

    def _read_type(self, name: str) -> Any:
        found = getattr(builtins, name)
        if not isinstance(found, type):
            raise ValueError("no class")
        return found

    def _read_ref(self, number: int) -> Any:
        return self.objects[number]

    def _read_object(self, number: int, module: str, name: str, *attributes: Any) -> Any:
        if module not in self._support or type(number) is not int:
            raise ValueError("an instance of a class that the tests do not bring")
        kind = getattr(sys.modules[module], name)
        made = self.objects.get(number)
        if made is None:
            made = self.objects[number] = kind.__new__(kind)
        for attribute, item in attributes:
            made.__dict__[str(attribute)] = self.decode(item)
        return made

    def _read_opaque(self, truth: Optional[bool], text: Optional[str], items: Optional[List[Form]]) -> Any:
        return Opaque(truth, text, None if items is None else self._all(items))


def program_line(file: str, before: str) -> List[str]:
    """The command that runs a file as a program, after what its publisher's harness has before it."""
    if not before:
        return [sys.executable, "-s", file]
    run = "import sys\nsys.argv.pop(0)\n__import__('builtins').exec(__import__('builtins').compile(__import__('builtins').open("
    return [
        sys.executable,
        "-s",
        "-c",
        before + "\n" + run + "sys.argv[0], 'rb').read(), sys.argv[0], 'exec'))",
        file,
    ]
