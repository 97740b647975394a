"""The secret that this host mixes into every generated market.

Tasks are chosen by public numbers (a seed, a split, a place), and the generators are public too: without a secret, a program in the
sandbox could generate its own future. The secret never leaves the host. Hosts that share one, by the environment variable
``MX_SALT``, generate the same markets.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import numpy as np

from mx_tasks.trading.market.errors import TradingError


def host_salt() -> str:
    """``MX_SALT``, else the secret in the user's configuration folder, which is made on first use.

    Raises TradingError where that folder cannot be written.
    """
    given = os.environ.get("MX_SALT")
    if given:
        return given
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = home / "mx-envs" / "salt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(16) + "\n")
        return path.read_text().strip()
    except OSError as error:
        raise TradingError(
            f"no secret for generated markets: {error}; set MX_SALT to one of your own"
        ) from None


def salted(salt: str, *words: object) -> np.random.Generator:
    """Random numbers that depend on the salt and on all the words, the same on every machine."""
    digest = hashlib.blake2b(repr(words).encode(), key=hashlib.sha256(salt.encode()).digest()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def trace(salt: str) -> str:
    """What a fingerprint may say of the salt."""
    return hashlib.sha256(f"mx-envs salt/{salt}".encode()).hexdigest()[:16]
