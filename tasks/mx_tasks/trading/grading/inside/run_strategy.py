"""Runs a strategy program on bars that come one at a time, in the grading sandbox, on the standard library alone.

The host sends what is past; a bar comes only when the answer to the one before has gone out. Frames are those of
``mx_sandboxes``: four bytes of length, then JSON, over the descriptor named by ``MX_CHANNEL``.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHANNEL = int(os.environ["MX_CHANNEL"])


def read(size: int) -> bytes:
    """So many bytes; the end of the program when the host is gone."""
    data = os.read(CHANNEL, size)
    while len(data) < size:
        more = os.read(CHANNEL, size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data


def receive() -> Any:
    """The next frame."""
    return json.loads(read(int.from_bytes(read(4), "big")))


def send(frame: Any) -> None:
    """Send a frame."""
    data = json.dumps(frame).encode()
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(CHANNEL, data) :]


class Bars:
    """The bars so far: ``open``, ``high``, ``low``, ``close``, ``volume`` are lists of rows, a row has one number for each asset.

    ``splits`` (new shares for an old one) and ``dividends`` (money for a share) are such rows too: what happened before each open.
    ``extra`` holds further public columns by name; ``symbols`` the assets. ``bars.close[-1][0]`` is the newest close of the first.
    """

    def __init__(self, symbols: list[str], names: list[str]) -> None:
        self.symbols = symbols
        self.open: list[list[float]] = []
        self.high: list[list[float]] = []
        self.low: list[list[float]] = []
        self.close: list[list[float]] = []
        self.volume: list[list[float]] = []
        self.splits: list[list[float]] = []
        self.dividends: list[list[float]] = []
        self.extra: dict[str, list[float]] = {name: [] for name in names}

    def __len__(self) -> int:
        return len(self.close)

    def add(self, row: list[float], happened: Any) -> None:
        """One bar more."""
        n = len(self.symbols)
        self.splits.append(happened.get("split") or [1.0] * n)
        self.dividends.append(happened.get("dividend") or [0.0] * n)
        self.open.append(row[:n])
        self.high.append(row[n : 2 * n])
        self.low.append(row[2 * n : 3 * n])
        self.close.append(row[3 * n : 4 * n])
        self.volume.append(row[4 * n : 5 * n])
        for name, value in zip(self.extra, row[5 * n :]):
            self.extra[name].append(value)


def plain(weights: Any) -> Any:
    """Numbers for JSON from what a strategy returns: a list, an array, a dict or a number."""
    if hasattr(weights, "tolist"):
        weights = weights.tolist()
    if isinstance(weights, dict):
        return {str(name): float(value) for name, value in weights.items()}
    if isinstance(weights, (list, tuple)):
        return [float(value) for value in weights]
    return float(weights)


def main() -> None:
    """Until the host ends it."""
    start = receive()
    bars = Bars(start["symbols"], start["extra"])
    for place, row in enumerate(start["rows"]):
        bars.add(row, start["happened"].get(str(place), {}))
    sys.path.insert(0, os.getcwd())
    try:
        import strategy  # type: ignore[import-not-found]  # it lies beside this file in the sandbox

        on_bar = strategy.on_bar
        if hasattr(strategy, "fit"):
            strategy.fit(bars)
    except BaseException as error:
        send({"error": "%s: %s" % (type(error).__name__, str(error)[:200])})
        os._exit(1)
    send({"ready": True})
    while True:
        frame = receive()
        for place, row in enumerate(frame.get("purged", ())):
            bars.add(row, frame["happened"].get(str(place), {}))
        if "row" in frame:
            bars.add(frame["row"], frame)
        try:
            answer = {"w": plain(on_bar(bars, frame["account"]))}
        except Exception as error:
            answer = {"error": "%s: %s" % (type(error).__name__, str(error)[:200])}
        send(answer)


main()
