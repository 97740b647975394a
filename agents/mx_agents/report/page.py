"""The frame of a report: one HTML file with its style, its script and its data inside, and nothing else.

All that a model wrote goes into the page in two ways only: through ``escape`` into HTML, or as JSON into an inert data block whose
``<``, ``>`` and ``&`` are written as ``\\u003c`` ... and whose texts the script puts on screen with ``textContent``. The page's
content security policy lets no other script run, and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

LONGEST_TEXT = 20_000
"""Characters of one text that go into a page."""


def page(title: str, subtitle: str, body: Iterable[str], data: Any, *, live: bool = False) -> str:
    """The whole file. ``title`` and ``subtitle`` are texts, ``body`` is HTML, ``data`` is JSON for the browser of episodes.

    A ``live`` page may ask the server that it came from for news; any other can reach nothing.
    """
    style, script = _asset("report.css"), _asset("report.js")
    reach, sender = ("; connect-src 'self'", "'self'") if live else ("", "'none'")
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{_sha256(script)}'; "
        f"base-uri 'none'; form-action {sender}{reach}"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><h1>{escape(title)}</h1><p class="subtitle">{escape(subtitle)}</p></header>
<main>
{"".join(body)}
</main>
<footer>Written by mx-envs. {"Live." if live else "This file is complete in itself: it loads nothing."}</footer>
<script type="application/json" id="data">{json_block(data)}</script>
<script>{script}</script>
</body>
</html>
"""


def json_block(data: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign, code in (
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(sign, code)
    return text.encode("utf-8", errors="replace").decode()


def section(title: str, *body: str, lead: str = "", wide: bool = False) -> str:
    """A titled section; ``title`` and ``lead`` are texts, ``body`` is HTML."""
    intro = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return (
        f"<section{' class=wide' if wide else ''}><h2>{escape(title)}</h2>{intro}{''.join(body)}</section>\n"
    )


def figure(title: str, chart: str, caption: str = "") -> str:
    """A chart with its title above and its caption below."""
    below = f"<p>{escape(caption)}</p>" if caption else ""
    return f"<figure><figcaption><h3>{escape(title)}</h3></figcaption>{chart}{below}</figure>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> str:
    """A table of HTML cells; the first column holds the rows' names."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def tiles(entries: Iterable[tuple[str, str, str]]) -> str:
    """Large figures: value, what it is, and a remark."""
    return "".join(
        [
            '<div class="tiles">',
            *(
                f'<div class="tile"><b>{escape(value)}</b><span>{escape(what)}</span><small>{escape(remark)}</small></div>'
                for value, what, remark in entries
            ),
            "</div>",
        ]
    )


def folded(summary: str, body: str) -> str:
    """Something that opens on demand."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def configuration(config: dict[str, Any]) -> str:
    """The configuration, as a folded table."""
    rows = [[escape(str(name)), f"<code>{escape(_plain(value))}</code>"] for name, value in _flat(config)]
    return section(
        "Configuration", folded("Everything needed to repeat this run", table(["", ""], rows, kind="plain"))
    )


def browser(kind: str, lead: str, title: str) -> str:
    """The place that the script fills with browsable episodes."""
    noscript = (
        "<noscript><p>Browsing episodes needs JavaScript; they are in the run folder too.</p></noscript>"
    )
    return section(title, f'<div id="browser" data-kind="{kind}"></div>{noscript}', lead=lead)


def episode_data(record: dict[str, Any]) -> dict[str, Any]:
    """What the browser shows of an episode record: of each turn only those messages that its agent had not seen before."""
    seen: dict[str, list[Any]] = {}
    turns = []
    for turn in record.get("turns", ()):
        messages = [[message["role"], message["content"]] for message in turn["messages"]]
        before = seen.get(turn["name"], [])
        new = messages[len(before) :] if before and messages[: len(before)] == before else messages
        seen[turn["name"]] = [*messages, ["assistant", turn["answer"]]]
        turns.append(
            {
                "name": turn["name"],
                "agent": turn["agent"],
                "messages": [[role, _cut(content)] for role, content in new],
                "answer": _cut(turn["answer"]),
                "parts": list(turn.get("parts") or ()),
                "reward": turn.get("turn_reward"),
                "rulings": [_ruling(ruling) for ruling in turn.get("rulings") or ()],
            }
        )
    grade = record.get("grade") or {}
    return {
        "stop": record.get("stop", ""),
        "error": _cut(record.get("error") or ""),
        "log": _cut(record.get("log") or ""),
        "answer": _cut((record.get("submission") or {}).get("answer", "")),
        "files": sorted((record.get("submission") or {}).get("files") or ()),
        "diff": _cut(record.get("diff") or ""),
        "score": grade.get("score", 0.0),
        "passed": bool(grade.get("passed")),
        "tampered": bool(grade.get("tampered")),
        "parts": dict(grade.get("parts") or {}),
        "grading": _cut(grade.get("log") or ""),
        "reward": (record.get("rewards") or {}).get("designer"),
        "turns": turns,
        "rulings": [_ruling(ruling) for ruling in record.get("rulings") or ()],
    }


def _ruling(ruling: Mapping[str, Any]) -> str:
    """What was decided on a tool call, in a line."""
    instead = "" if ruling.get("instead") is None else f", instead with {_plain(ruling['instead'])}"
    why = f": {ruling['reason']}" if ruling.get("reason") else ""
    said = f"{ruling['decision']} by {ruling.get('by') or 'nobody'}{why}{instead}"
    return _cut(f"{ruling['tool']} {_plain(ruling['arguments'])} · {said}")


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= LONGEST_TEXT
        else f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT:,} characters more"
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _flat(config: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as ``outer.inner``."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _asset(name: str) -> str:
    return resources.files("mx_agents.report").joinpath("assets", name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
