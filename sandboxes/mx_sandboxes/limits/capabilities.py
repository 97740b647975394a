"""What a backend enforces on this machine, and how: known before the first job is run.

`Limits` says what a job may use, this says who sees to it: the kernel at once, or the job's keeper when it next looks. What this
machine cannot enforce is listed with the command that changes that.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from mx_sandboxes.limits.cgroups import Place, hierarchies
from mx_sandboxes.sandbox import Capabilities, Capability, How

LOOKS = "looked at every 20 to 400 ms, oftener where processes come and go"
COPIED = "a slot keeps a tree's bytes and copies them for each job"
LAYERED_SINCE = (6, 6)
"""The first Linux whose tmpfs has the attributes that an overlay without privileges needs; a jail finds out by trying."""
MACHINES = ("x86_64", "aarch64")


def _common() -> list[Capability]:
    """What both backends do alike: resource limits of the processes, the keeper's watch, the host's patience."""
    return [
        Capability(
            "cpu time",
            How.KEEPER,
            f"the sum over all processes, {LOOKS}; each process by the kernel, in whole seconds",
        ),
        Capability("wall time", How.KEEPER, "by its own clock; the host gives up 10 s later"),
        Capability("file size", How.KERNEL, "RLIMIT_FSIZE"),
        Capability("open files", How.KERNEL, "RLIMIT_NOFILE, for each process"),
        Capability("output", How.KEEPER, "cut and killed at the limit, stdout and stderr together"),
        Capability("frames", How.HOST, "length, JSON and turn of each frame are checked as it comes"),
        Capability("privileges", How.KERNEL, "no capabilities, no new privileges, an unprivileged user"),
        _system_calls(),
    ]


def _system_calls() -> Capability:
    machine = platform.machine()
    detail = "a list of the system calls, flags and requests that are allowed, in the job only"
    if machine in MACHINES:
        return Capability("system calls", How.KERNEL, detail)
    return Capability(
        "system calls",
        How.NOTHING,
        f"there is no filter for {machine}: every job is killed",
        "use x86_64 or aarch64",
    )


def of_bubblewrap(image: str, group: Place | None) -> Capabilities:
    """What jails on this machine enforce; with the place of their control groups, where there may be any."""
    return Capabilities(
        "bubblewrap",
        image,
        (
            *_common(),
            _bubblewrap_memory(group),
            Capability(
                "processes",
                How.KERNEL,
                "RLIMIT_NPROC in the jail's own user namespace"
                + (", pids cgroup" if group is not None and group.pids is not None else ""),
            ),
            Capability("disk", How.KERNEL, "the size of each job's own tmpfs"),
            Capability("inodes", How.KERNEL, "nr_inodes of each job's own tmpfs"),
            Capability("network", How.NAMESPACE, "nothing but a loopback, each job's own"),
            Capability(
                "fresh namespaces",
                How.NAMESPACE,
                "mount, pid, ipc, uts and network for each job; user and cgroup for each slot",
            ),
            Capability(
                "read-only system",
                How.NAMESPACE,
                "an allow-list of the distribution's folders, bound read-only",
            ),
            _layers(),
            Capability("no daemon of root's", How.KERNEL, _bubblewrap_user()),
            Capability(
                "processors",
                How.NOTHING,
                "a job may use all of them",
                "open_sandbox('docker', cpus=1), or: taskset -c 0 COMMAND",
            ),
            _own_kernel(None),
        ),
    )


def _bubblewrap_memory(group: Place | None) -> Capability:
    detail = f"the sum over all processes, {LOOKS}"
    if group is not None:
        return Capability(
            "memory",
            How.KERNEL,
            f"{detail}; a cgroup (version {group.version}) on the slot, with room for the workspace on top",
        )
    return Capability(
        "memory",
        How.KEEPER,
        f"{detail}; each process's address space by the kernel, at twice the limit and 256 MiB",
        _way_to_a_group(),
    )


def _way_to_a_group() -> str:
    """How this user gets a control group for jails."""
    if os.geteuid() != 0 and Path("/run/systemd/system").is_dir():
        if any(one.version == 2 and "memory" in one.controllers for one in hierarchies()):
            return "systemd-run --user --scope -p Delegate=yes COMMAND"
        return "start the kernel with systemd.unified_cgroup_hierarchy=1: version 1 is not for users"
    return "docker adds a cgroup: mx sandbox build python"


def _layers() -> Capability:
    name = "trees stay as they are"
    version = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    if version < LAYERED_SINCE:
        return Capability(name, How.KEEPER, COPIED)
    return Capability(
        name,
        How.KERNEL,
        "a tree is a read-only layer under the workspace, an overlay, where the kernel lets a jail mount it",
    )


def _bubblewrap_user() -> str:
    if os.geteuid() == 0:
        return "started by root: slots run as a throw-away user id"
    return "slots run as this user, in a user namespace without capabilities outside"


def of_docker(
    image: str, info: dict[str, Any], *, runtime: str | None = None, cpus: float | None = None
) -> Capabilities:
    """What containers of an engine that says this of itself enforce."""
    return Capabilities(
        "docker",
        image,
        (
            *_common(),
            _docker_memory(info),
            Capability(
                "processes",
                How.KERNEL,
                "RLIMIT_NPROC of the job's own user id" + (", pids cgroup" if info.get("PidsLimit") else ""),
            ),
            Capability("disk", How.KERNEL, "the size of the slot's tmpfs, wiped after each job"),
            _docker_inodes(info),
            Capability(
                "network", How.NAMESPACE, "nothing but a loopback, the slot's; no connection outlasts its job"
            ),
            Capability(
                "fresh namespaces",
                How.KEEPER,
                "for each slot; each job has a user id, whose processes are killed and files wiped, or the slot is replaced",
                "run(fresh=True) gives a job a container of its own",
            ),
            Capability("read-only system", How.NAMESPACE, "the image, mounted read-only"),
            Capability("trees stay as they are", How.KEEPER, COPIED),
            Capability("no daemon of root's", *_docker_user(info)),
            _docker_processors(info, cpus),
            _own_kernel(runtime),
        ),
    )


def is_podman(info: dict[str, Any]) -> bool:
    """Whether the engine that says this of itself is Podman, which speaks Docker's protocol with a few words missing."""
    return "BuildahVersion" in info


def _docker_inodes(info: dict[str, Any]) -> Capability:
    if is_podman(info):
        return Capability(
            "inodes",
            How.NOTHING,
            "Podman takes no such option; the slot's memory cgroup bounds their number",
            "use Docker or bubblewrap",
        )
    return Capability("inodes", How.KERNEL, "nr_inodes of the slot's tmpfs")


def _docker_memory(info: dict[str, Any]) -> Capability:
    detail = f"the sum over all processes, {LOOKS}"
    if info.get("MemoryLimit"):
        return Capability(
            "memory", How.KERNEL, f"{detail}; a cgroup on the slot, with room for the workspace on top"
        )
    return Capability(
        "memory",
        How.KEEPER,
        f"{detail}; the engine has no memory cgroup",
        "add cgroup_enable=memory swapaccount=1 to the kernel's command line, run update-grub and restart",
    )


def _docker_user(info: dict[str, Any]) -> tuple[How, str, str]:
    options = " ".join(info.get("SecurityOptions") or ())
    if "rootless" in options or "userns" in options:
        return How.KERNEL, "the engine maps its containers' root to a user without rights", ""
    return (
        How.NOTHING,
        "the engine, and the job server in a slot, are root; the job is not",
        "dockerd-rootless-setuptool.sh install, or userns-remap in /etc/docker/daemon.json",
    )


def _docker_processors(info: dict[str, Any], cpus: float | None) -> Capability:
    if cpus is not None and info.get("CpuCfsQuota"):
        return Capability("processors", How.KERNEL, f"{cpus:g} for each slot, by a cgroup")
    return Capability(
        "processors", How.NOTHING, "a job may use all of them", "open_sandbox('docker', cpus=1)"
    )


def _own_kernel(runtime: str | None) -> Capability:
    if runtime == "runsc":
        return Capability("kernel of its own", How.KERNEL, "gVisor's")
    return Capability(
        "kernel of its own",
        How.NOTHING,
        "jobs call the host's kernel, through the filter",
        "install gVisor, then: open_sandbox('docker', runtime='runsc')",
    )
