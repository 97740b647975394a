"""Whether somebody answers at an endpoint, asked before anything long begins."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from mx_agents.errors import UsageError

PATIENCE_S = 10.0


def check_endpoints(specs: Iterable[str]) -> None:
    """Knock at the endpoint of every ``openai:MODEL@URL`` among policies and methods. Raises UsageError where nobody is there.

    Any answer will do: a server may know neither this page nor this key, or be slow.
    """
    for url in dict.fromkeys(filter(None, map(_endpoint, specs))):
        try:
            httpx.get(f"{url.rstrip('/')}/models", timeout=PATIENCE_S)
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.UnsupportedProtocol,
            httpx.InvalidURL,
        ) as error:
            raise UsageError(
                f"nobody answers at {url} ({error}); start the server, or mend the URL of openai:MODEL@URL"
            ) from None
        except httpx.TransportError:
            continue


def _endpoint(spec: str) -> str:
    _, found, rest = spec.removeprefix("search:").partition("openai:")
    return rest.rpartition("@")[2] if found and spec.removeprefix("search:").startswith("openai:") else ""
