"""Other people's images: built, given our job server, and run once for a verdict.

``adopt`` makes of any Linux image one whose slots serve jobs as our own images' do. ``run_once`` is for what needs a
container of its own as its author knows it (root, a writable root filesystem, the image's paths), such as a task's
own verifier: no network, few capabilities, limits on memory, processes, time and the size of a file; not on the sum
of files, which the engine's storage decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mx_sandboxes.backends.docker.tags import LABEL, SERVER, image_tag
from mx_sandboxes.sandbox import SandboxError, SandboxUnavailableError

ADOPTED = "mx-envs/adopted"
BUILT = "mx-envs/built"
MOST_OUTPUT = 64 << 10
_NEEDED = "import ctypes, sys; assert sys.version_info >= (3, 9); print(sys.executable)"
_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL"]
_ENTRY = '["/mx/bin/python", "-s", "-m", "mx_sandboxes.inside.server"]'
_BROUGHT = """COPY --from={python} /usr/bin/python3 /opt/mx-python/usr/bin/python3
COPY --from={python} /usr/lib/python3.13 /opt/mx-python/usr/lib/python3.13
COPY --from={python} /usr/lib/*-linux-gnu /opt/mx-python/lib/
"""
_BROUGHT_PYTHON = (
    "/opt/mx-python/lib/$(cd /opt/mx-python/lib && ls | grep -m1 '^ld-linux') --library-path /opt/mx-python/lib "
    "--argv0 /opt/mx-python/usr/bin/python3 /opt/mx-python/usr/bin/python3"
)


class BuildError(SandboxError):
    """An image could not be built or fetched; the message is one line."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file to be put into a container."""

    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a container: exit code (None: it ran out of time), the end of its output, the files asked for by absolute name."""

    exit_code: int | None
    output: str
    files: Mapping[str, Given] = field(default_factory=dict)


@contextmanager
def _engine() -> Iterator[Any]:
    from mx_sandboxes.backends.docker.connection import connect

    client = connect()
    try:
        yield client
    finally:
        client.close()


def has_tag(tag: str) -> bool:
    """Whether the engine has an image of that name. Raises SandboxUnavailableError when no engine answers."""
    import docker.errors

    with _engine() as client:
        try:
            client.images.get(tag)
        except docker.errors.ImageNotFound:
            return False
        return True


def fetched(tag: str) -> str:
    """The image of that name, pulled where the engine lacks it. Raises BuildError, SandboxUnavailableError."""
    import docker.errors
    import requests

    if has_tag(tag):
        return tag
    with _engine() as client:
        try:
            client.images.pull(tag)
        except (docker.errors.APIError, requests.RequestException) as error:
            raise BuildError(
                f"the engine neither has nor can pull the image {tag} ({_line(error)})"
            ) from None
    return tag


def build_folder(folder: Path, *, network: str | None = None) -> str:
    """Build the Dockerfile of a folder with the folder as its context; an unchanged folder is built once.

    Raises BuildError with the end of what the build said, SandboxUnavailableError when no engine answers.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                _add(
                    archive,
                    str(path.relative_to(folder)),
                    path.read_bytes(),
                    stat.S_IMODE(path.stat().st_mode),
                )
    context = stream.getvalue()
    tag = f"{BUILT}:{hashlib.sha256(context).hexdigest()[:16]}"
    return tag if has_tag(tag) else _build(context, tag, network)


def adopt(
    image: str,
    roots: Sequence[str] = (),
    *,
    workspace: str | None = None,
    pythons: Sequence[str] = (),
    network: str | None = None,
) -> str:
    """The image with our job server in it, and each of ``roots`` (absolute folders) a link to the same name in the workspace.

    ``workspace`` is a folder that is a link to the workspace itself.

    ``pythons`` are interpreters to be preferred; an image that has none from 3.9 on is given ours. Without roots
    nothing of the image's own files is moved. Raises BuildError, SandboxUnavailableError.
    """
    import docker.errors

    with _engine() as client:
        try:
            identity = str(client.images.get(image).id)
        except docker.errors.ImageNotFound as error:
            raise BuildError(f"the engine has no image {image}") from error
    python = _python_of(image, pythons)
    links = "".join(_link(root, f"/work{root}") for root in roots)
    links += _link(workspace, "/work") if workspace else ""
    brought = "" if python else _BROUGHT.format(python=image_tag("python"))
    runs = python or _BROUGHT_PYTHON
    recipe = f"""FROM {image}
USER root
{brought}COPY inside /mx/lib/mx_sandboxes/inside
RUN mkdir -p /mx/bin && (test -d /work || mkdir -m 1777 /work) && chmod 1777 /work \\
 && rm -f /mx/bin/python && printf '#!/bin/sh\\nexec %s "$@"\\n' "{runs}" > /mx/bin/python && chmod 755 /mx/bin/python{links}
ENV PYTHONPATH=/mx/lib PYTHONHASHSEED=0 PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /
ENTRYPOINT {_ENTRY}
CMD []
"""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        _add(archive, "Dockerfile", recipe.encode(), 0o644)
        for path in sorted(SERVER.glob("*.py")):
            _add(archive, f"inside/{path.name}", path.read_bytes(), 0o644)
    context = stream.getvalue()
    tag = f"{ADOPTED}:{hashlib.sha256(identity.encode() + context).hexdigest()[:16]}"
    if has_tag(tag):
        return tag
    if not python and not has_tag(image_tag("python")):
        raise BuildError(f"{image} has no Python from 3.9 on, and ours is not built: mx sandbox build python")
    return _build(context, tag, network)


def _link(root: str, target: str) -> str:
    place = PurePosixPath(root)
    if not place.is_absolute() or len(place.parts) < 2 or ".." in place.parts:
        raise ValueError(f"{root!r} is no folder that can be a workspace's")
    return f" \\\n && rm -rf '{place}' && mkdir -p '{place.parent}' && ln -s '{target}' '{place}'"


def _python_of(image: str, preferred: Sequence[str]) -> str:
    """An interpreter of the image that can run the job server; empty where there is none."""
    names = " ".join([*(f"'{name}'" for name in preferred), "python3", "python", "/usr/bin/python3"])
    script = f"for each in {names}; do \"$each\" -c '{_NEEDED}' 2>/dev/null && exit 0; done; echo none"
    done = run_once(image, script, wall_s=60)
    said = done.output.strip().splitlines()
    if done.exit_code != 0 or not said:
        raise BuildError(f"{image} has no shell that runs ({done.output.strip()[-120:]})")
    return "" if said[-1] == "none" else said[-1]


def _build(context: bytes, tag: str, network: str | None) -> str:
    import docker.errors
    import requests

    with _engine() as client:
        said: list[str] = []
        try:
            answer = client.api.build(
                fileobj=io.BytesIO(context),
                custom_context=True,
                tag=tag,
                network_mode=network,
                labels={LABEL: "adopted"},
                rm=True,
                forcerm=True,
                decode=True,
            )
            for line in answer:
                said = [*said, str(line.get("stream", "")).strip()][-12:]
                if "error" in line:
                    last = next((word for word in reversed(said) if word and not word.startswith("--->")), "")
                    raise BuildError(f"its image cannot be built: {_line(line['error'])} ({last[-200:]})")
        except (docker.errors.APIError, requests.RequestException) as error:
            raise BuildError(f"its image cannot be built: {_line(error)}") from error
    return tag


def run_once(
    image: str,
    script: str,
    *,
    files: Mapping[str, Given] | None = None,
    collect: Sequence[str] = (),
    workdir: str | None = None,
    env: Mapping[str, str] | None = None,
    network: str = "none",
    wall_s: float = 600.0,
    memory_bytes: int = 1 << 30,
    largest: int = 64 << 20,
) -> Finished:
    """Run a shell script in a fresh container of an image and remove it.

    ``files`` are put in before it starts; of the files and folders in ``collect`` (absolute), the regular files come
    back, up to ``largest`` bytes in all. Raises SandboxError when the engine fails or more is asked for than may come
    back.
    """
    import docker.errors
    import docker.types
    import requests

    from mx_sandboxes.backends.docker.connection import OWNER_LABEL, owner

    with _engine() as client:
        container = None
        try:
            container = client.containers.create(
                image,
                ["-c", script],
                entrypoint=["/bin/sh"],
                user="0:0",
                working_dir=workdir,
                environment=dict(env or {}),
                network_mode=network,
                mem_limit=memory_bytes,
                memswap_limit=memory_bytes,
                pids_limit=512,
                cap_drop=["ALL"],
                cap_add=_CAPABILITIES,
                security_opt=["no-new-privileges:true"],
                ulimits=[docker.types.Ulimit(name="fsize", soft=1 << 30, hard=1 << 30)],
                labels={LABEL: "once", OWNER_LABEL: owner()},
                log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
            )
            if files:
                container.put_archive("/", _archive(files))
            container.start()
            code = _wait(container, wall_s)
            output = container.logs(tail=400)[-MOST_OUTPUT:].decode(errors="replace")
            return Finished(code, output, _read_out(container, collect, largest))
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            raise SandboxError(f"the engine could not run a container of {image}: {_line(error)}") from error
        finally:
            if container is not None:
                with contextlib.suppress(docker.errors.APIError, requests.RequestException):
                    container.remove(force=True)


def _wait(container: Any, wall_s: float) -> int | None:
    import docker.errors
    import requests

    try:
        return int(container.wait(timeout=wall_s)["StatusCode"])
    except requests.RequestException:  # the SDK says that its time is up in several ways
        with contextlib.suppress(docker.errors.APIError):
            container.kill()
        return None


def files_of(image: str, folders: Sequence[str], *, largest: int = 64 << 20) -> dict[str, Given]:
    """The regular files below folders of an image, by absolute name. Raises SandboxError."""
    return dict(run_once(image, "true", collect=folders, largest=largest).files)


def settings_of(image: str) -> Mapping[str, Any]:
    """The ``Config`` of an image: ``WorkingDir``, ``Env``. Raises SandboxError."""
    import docker.errors

    with _engine() as client:
        try:
            return dict(client.images.get(image).attrs.get("Config") or {})
        except docker.errors.ImageNotFound as error:
            raise SandboxUnavailableError(f"the engine has no image {image}") from error


def _read_out(container: Any, places: Sequence[str], largest: int) -> dict[str, Given]:
    import docker.errors

    found: dict[str, Given] = {}
    left = largest
    for place in places:
        try:
            chunks, _ = container.get_archive(place)
        except docker.errors.NotFound:
            continue
        stream = io.BytesIO()
        for chunk in chunks:
            stream.write(chunk)
            if stream.tell() > largest + (32 << 20):
                raise SandboxError(f"{place} holds more than {largest >> 20} MB")
        stream.seek(0)
        above = PurePosixPath(place).parent
        with tarfile.open(fileobj=stream) as archive:
            for entry in archive:
                if not entry.isreg() or ".." in PurePosixPath(entry.name).parts:
                    continue
                left -= entry.size
                if left < 0:
                    raise SandboxError(f"{place} holds more than {largest >> 20} MB")
                file = archive.extractfile(entry)
                data = file.read() if file is not None else b""
                found[str(above / entry.name)] = Given(data, entry.mode & 0o777)
    return found


def _archive(files: Mapping[str, Given]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, given in sorted(files.items()):
            _add(archive, name.lstrip("/"), given.data, given.mode)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def _line(error: object) -> str:
    text = str(error).strip()
    with contextlib.suppress(ValueError):
        text = str(json.loads(text).get("message", text))
    return " ".join(text.split())[:200]
