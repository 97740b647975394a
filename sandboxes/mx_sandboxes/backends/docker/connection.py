"""The engine found and asked: a client for it, its images, and whose containers are whose."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from mx_sandboxes.backends.docker.tags import image_tag
from mx_sandboxes.sandbox import SandboxUnavailableError

if TYPE_CHECKING:
    import docker

OWNER_LABEL = "mx-envs.owner"


def connect() -> docker.DockerClient:
    """A client for the engine that the environment names. Raises SandboxUnavailableError when none answers."""
    import docker  # only where an engine is used
    import docker.errors
    import docker.utils
    import requests

    client = None
    try:
        _knock(str(docker.utils.parse_host(os.environ.get("DOCKER_HOST"))))
        client = docker.from_env(timeout=60)
        if client.api.base_url.startswith("http+docker://"):  # a Unix socket, to which no proxy leads
            client.api.trust_env = (
                False  # or each request reads all of the environment, which may change meanwhile
            )
        client.ping()
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        if client is not None:
            client.close()
        raise SandboxUnavailableError(_way_to_an_engine(error)) from error
    return client


def _way_to_an_engine(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            "no Docker engine answers this user (permission denied at its socket): "
            "sudo usermod -aG docker $USER, then log in again; or use the bubblewrap backend"
        )
    return f"no Docker engine answers ({error}): start one, set DOCKER_HOST, or use the bubblewrap backend"


def _knock(url: str) -> None:
    """Raise OSError where nothing listens at an engine's Unix socket; the SDK would leave a socket of its own open over it."""
    if url.startswith("http+unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(url.removeprefix("http+unix://"))


def find_image(client: docker.DockerClient, name: str) -> str | None:
    """The tag of an image when the engine has it."""
    import docker.errors

    tag = image_tag(name)
    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        return None
    return tag


def owner() -> str:
    """Who owns a container: boot, process namespace, process and its start, in a form that another process can check."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').readlink()}/{os.getpid()}/{_start_of(os.getpid())}"


def _start_of(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def remove_leftovers(client: docker.DockerClient) -> int:
    """Remove the containers of owners that have died; returns how many."""
    import docker.errors

    place = owner().rsplit("/", 2)[0]
    removed = 0
    for container in client.containers.list(all=True, filters={"label": OWNER_LABEL}, ignore_removed=True):
        where, pid, start = container.labels[OWNER_LABEL].rsplit("/", 2)
        if where == place and _start_of(int(pid)) != start:
            with contextlib.suppress(docker.errors.APIError):  # somebody else was faster
                container.remove(force=True)
                removed += 1
    return removed
