"""Releases of a package: found in an index, fetched and checked, never built.

``pip download`` runs the build backend of a source distribution to learn its name, which would be foreign code on the host; so
source distributions are fetched as pip does it, over the index's simple API (PEP 691) with pip's own settings, and only unpacked.
Wheels come by ``pip download``.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import httpx

from mx_tasks.errors import did_you_mean
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import ENDINGS, Tree, unpack

LARGEST_DOWNLOAD = 64 << 20
TIMEOUT_S = 60.0
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]*")
_LINK = re.compile(r"<a\s[^>]*href=[\"']([^\"']+)[\"'][^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Release:
    """One release's files, unpacked: name as asked for, version, and where they came from with its sha256."""

    name: str
    version: str
    archive: str
    sha256: str
    tree: Tree


def fetch_release(name: str, version: str, cache: Path) -> Release:
    """Download (or find in ``cache``) the source distribution of a release, else its pure wheel, and unpack it.

    ``version`` may be the path of an archive or folder instead. Raises SourceError for an unknown package or version.
    """
    local = Path(version)
    if local.exists() and (local.is_dir() or version.endswith(ENDINGS)):
        digest = "" if local.is_dir() else hashlib.sha256(local.read_bytes()).hexdigest()
        return Release(name, _version_of(local.name), local.name, digest, unpack(local))
    _check_words(name, version)
    folder = cache / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = _cached(folder, name, version) or _download(name, version, folder)
    return Release(name, version, path.name, hashlib.sha256(path.read_bytes()).hexdigest(), unpack(path))


def latest_version(name: str) -> str:
    """The newest version of a package in the index that is no pre-release. Raises SourceError."""
    _check_words(name, "0")
    versions = [found for file in _links(name) if (found := _file_version(file[0], name))]
    plain = sorted({v for v in versions if re.fullmatch(r"\d+(\.\d+)*(\.post\d+)?", v)}, key=_sort_key)
    if not plain:
        raise SourceError(f"the package index has no release of {name!r}")
    return plain[-1]


def fetch_wheels(requirements: Sequence[str], python: str, folder: Path, *, recursive: bool = True) -> Tree:
    """The files of the pure-Python wheels that satisfy the requirements for a Python version, such as ``"3.13"``.

    Raises SourceError with pip's last line when one has no such wheel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    line += ["--only-binary=:all:", "--python-version", python, "--implementation", "py", "--abi", "none"]
    line += [
        "--platform",
        "any",
        "--dest",
        str(folder),
        *(() if recursive else ("--no-deps",)),
        "--",
        *requirements,
    ]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"pip did not fetch {', '.join(requirements)} within 300 s") from error
    if done.returncode != 0:
        said = [text for text in done.stderr.splitlines() if text.startswith("ERROR")] or ["pip failed"]
        raise SourceError(
            f"no pure-Python wheels of {', '.join(requirements)}: {said[-1].removeprefix('ERROR: ')}"
        )
    tree: Tree = {}
    for wheel in sorted(folder.glob("*.whl")):
        tree |= unpack(wheel)
    return tree


def _check_words(name: str, version: str) -> None:
    if not _NAME.fullmatch(name):
        raise SourceError(f"{name!r} is no package name")
    if not _VERSION.fullmatch(version):
        raise SourceError(f"{version!r} is neither a version nor an archive's path")


def _download(name: str, version: str, folder: Path) -> Path:
    files = _links(name)
    fitting = [file for file in files if _same(_file_version(file[0], name), version)]
    if not fitting:
        known = sorted({found for file in files if (found := _file_version(file[0], name))}, key=_sort_key)
        some = ", ".join(known[-6:])
        raise SourceError(
            f"{name} has no release {version!r}{did_you_mean(version, known)}; the latest are: {some}"
        )
    source = [file for file in fitting if not file[0].endswith(".whl")]
    wheels = [file for file in fitting if file[0].endswith("none-any.whl")]
    if not source and not wheels:
        raise SourceError(f"{name} {version} has neither a source distribution nor a pure-Python wheel")
    return _get_file(*(source or wheels)[0], folder)


def _get_file(filename: str, url: str, sha256: str, folder: Path) -> Path:
    data = bytearray()
    try:
        if url.startswith("file:"):
            data += Path(unquote(urlsplit(url).path)).read_bytes()
        else:
            with _client().stream("GET", url) as response:
                response.raise_for_status()
                for piece in response.iter_bytes():
                    data += piece
                    if len(data) > LARGEST_DOWNLOAD:
                        raise SourceError(f"{filename} is larger than {LARGEST_DOWNLOAD >> 20} MB")
    except (httpx.HTTPError, OSError) as error:
        raise SourceError(f"{filename} cannot be downloaded: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256:
        raise SourceError(f"{filename}: its sha256 is {found}, not {sha256} as the index says")
    part = folder / f".{filename}.part"
    part.write_bytes(data)
    return part.replace(folder / filename)


def _links(name: str) -> list[tuple[str, str, str]]:
    """File name, URL and sha256 of every file of a package in the indexes that pip is set to. Raises SourceError."""
    found: list[tuple[str, str, str]] = []
    problem = ""
    for index in _indexes():
        if not index.startswith("http"):
            continue
        url = f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/"
        try:
            response = _client().get(url)
            if response.status_code == httpx.codes.NOT_FOUND:
                continue
            response.raise_for_status()
            found += _read_links(response, url)
        except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
            problem = f"the package index cannot be reached: {error}"
    if not found:
        raise SourceError(problem or f"the package index has no package {name!r}; check the spelling")
    return found


def _read_links(response: httpx.Response, url: str) -> list[tuple[str, str, str]]:
    if "json" in response.headers.get("content-type", ""):
        files: list[dict[str, Any]] = response.json()["files"]
        return [
            (str(file["filename"]), urljoin(url, file["url"]), str(file.get("hashes", {}).get("sha256", "")))
            for file in files
        ]
    links = []
    for href in _LINK.findall(response.text):
        address, fragment = urldefrag(urljoin(url, href.replace("&amp;", "&")))
        digest = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        links.append((unquote(address.rpartition("/")[2]), address, digest))
    return links


@functools.cache
def _client() -> httpx.Client:
    certificate = _pip_settings().get("cert") or os.environ.get("SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=certificate) if certificate else ssl.create_default_context()
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
    return httpx.Client(verify=context, timeout=TIMEOUT_S, follow_redirects=True, headers={"Accept": accept})


@functools.cache
def _pip_settings() -> dict[str, str]:
    """What pip is set to on this machine, by name without its section."""
    line = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    pairs = (text.partition("=") for text in done.stdout.splitlines())
    return {key.rpartition(".")[2].strip(): value.strip().strip("'") for key, _, value in pairs}


def _indexes() -> list[str]:
    settings = _pip_settings()
    return [
        *settings.get("index-url", "https://pypi.org/simple").split(),
        *settings.get("extra-index-url", "").replace("\\n", " ").split(),
    ]


def _cached(folder: Path, name: str, version: str) -> Path | None:
    found = [path for path in sorted(folder.iterdir()) if _same(_file_version(path.name, name), version)]
    return min(found, key=lambda path: path.name.endswith(".whl")) if found else None


def _file_version(filename: str, name: str) -> str | None:
    """The version in an archive's file name, None when it is another package's or no source or wheel."""
    stem = next((filename.removesuffix(end) for end in ENDINGS if filename.endswith(end)), None)
    if stem is None:
        return None
    flat = re.sub(r"[-_.]+", "[-_.]+", re.escape(name).replace(r"\-", "-").replace(r"\.", "."))
    match = re.fullmatch(
        f"{flat}-([^-]+)" + (r"-.*" if filename.endswith(".whl") else ""), stem, re.IGNORECASE
    )
    return match[1] if match else None


def _same(one: str | None, other: str) -> bool:
    return one is not None and _sort_key(one) == _sort_key(other)


def _sort_key(version: str) -> tuple[tuple[int, str], ...]:
    parts = [(int(n or 0), w) for n, w in re.findall(r"(\d+)|([a-z]+)", version.lower())]
    while parts and parts[-1] == (0, ""):
        parts.pop()
    return tuple(parts)


def _version_of(filename: str) -> str:
    match = re.search(r"-(\d[^-]*?)(?:-py|-cp|\.tar|\.zip|\.tgz|\.whl|$)", filename)
    return match[1] if match else "0"


def previous_version(name: str, version: str) -> str:
    """The release before a version, pre-releases left out. Raises SourceError."""
    _check_words(name, version)
    found = {known for file in _links(name) if (known := _file_version(file[0], name))}
    plain = {known for known in found if re.fullmatch(r"\d+(\.\d+)*(\.?post\d+)?", known)}
    earlier = [known for known in plain if _sort_key(known) < _sort_key(version)]
    if not earlier or not any(_same(known, version) for known in found):
        raise SourceError(
            f"{name} has no release {version!r} with one before it{did_you_mean(version, plain)}"
        )
    return max(earlier, key=_sort_key)
