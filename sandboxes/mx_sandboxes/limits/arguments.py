"""What calls may ask for that are allowed for some of their arguments only: lists of what is allowed, and the answer to all else.

A filter sees numbers, not what pointers point to: neither the flags of clone3 (which does not exist in here), nor which file
a descriptor is, nor descriptors that a message carries (those are counted by the kernel, see ``job.set_limits``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mx_sandboxes.limits.bpf import (
    ALLOW,
    EAFNOSUPPORT,
    EINVAL,
    ENOTTY,
    EOPNOTSUPP,
    EPERM,
    EPROTONOSUPPORT,
    JEQ,
    JSET,
    PRETEND,
    argument,
    give,
    instruction,
    one_of,
    when,
)

CLONE_FLAGS = 0x017D5FFF
"""What a process or thread may be made with: the signal of its end, and what C libraries set: VM, FS, FILES, SIGHAND, PIDFD,
VFORK, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID, DETACHED (without effect since Linux 2.6), CHILD_SETTID.

Not PARENT: such a child is its maker's sibling, for whoever runs the job to bury, and outlives it. Not PTRACE and UNTRACED,
which are for tracers; not the NEW* flags, which make namespaces; not IO, whose contexts are the disks'; none that a future
kernel brings."""
INTERNET_PROTOCOLS = (0, 6, 17)
"""The default, TCP and UDP. Others make the kernel load code that few have ever looked at."""
CONTROLS = (*range(17), 36, 37, 38, 1025, 1027, 1029, 1030, 1031, 1032, 1033, 1034)
"""Of fcntl: duplicates, flags, locks (also those of open files), owners, signals, pipes' sizes, seals.

Not leases, notices (windows on who opens a file there), nor hints on a file's life."""
TERMINALS = tuple(
    number for number in range(0x5401, 0x5461) if number not in (0x5412, 0x541C, 0x541D, 0x5423)
)
"""Of ioctl, what terminals and all descriptors know. Not typing for others, consoles, nor line disciplines, which load code."""
REQUESTS = (
    *TERMINALS,
    0x802C542A,  # terminals' settings of newer C libraries
    0x80045430,  # a terminal's number, lock, and other end
    0x40045431,
    0x80045438,
    0x80086601,  # a file's flags, for reading
    *(0x8905, 0x8906, 0x8907),  # sockets: marks and times
    *(0x8910, 0x8912, 0x8913, 0x8915, 0x8917, 0x8919, 0x891B, 0x891D, 0x8921, 0x8927, 0x8933, 0x8942),
)
"""The last are questions about network interfaces; setting anything about them takes rights that no job has."""
WISHES = (1, 2, 3, 4, 7, 8, 15, 16, 21, 23, 25, 27, 29, 30, 36, 37, 38, 39, 40, 42, 51, 52, 56)
"""Of prctl: signal at the parent's death, dumps, capabilities kept (there are none), names, timers' slack, orphans, no new
privileges; and questions. Not filters and tracers of one's own, speculation, other memory maps, machine checks, cores shared
with others."""
REGISTERS = (0x1001, 0x1002, 0x1003, 0x1004, 0x1021, 0x1022, 0x1023, 0x1024, 0x1025)
"""Of arch_prctl: segments of threads, and the use of wide registers, which has to be asked for."""
ADVICE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23)
"""Of madvise: reading ahead, letting go, forks, large pages, dumps, populating. Not merging with others' pages, sending out,
poisoning."""
_SOCKET_LEVEL, _FILTERS = 1, (26, 50, 51, 52)
_UNIX, _INTERNET, _INTERNET6, _NETLINK = 1, 2, 10, 16
_RLIMIT_CORE = 4
_MSG_OOB = 1
_FADV_DONTNEED = 4
_RWF_DSYNC, _RWF_SYNC, _RWF_APPEND = 2, 4, 16


def _clone() -> bytes:
    return argument(0) + when(JSET, ~CLONE_FLAGS & 0xFFFFFFFF, give(EPERM)) + give(ALLOW)


def _fcntl() -> bytes:
    return argument(1) + one_of(CONTROLS, ALLOW, EINVAL)


def _ioctl() -> bytes:
    """What a descriptor does not know is ENOTTY for everybody."""
    return argument(1) + one_of(REQUESTS, ALLOW, ENOTTY)


def _prctl() -> bytes:
    """EINVAL, as a kernel that does not know the wish: programs ask and do without."""
    return argument(0) + one_of(WISHES, ALLOW, EINVAL)


def _socket() -> bytes:
    """Inside their namespaces; AF_VSOCK, for one, knows none. Of netlink only routes: the events of devices are the host's."""
    internet = argument(2) + one_of(INTERNET_PROTOCOLS, ALLOW, EPROTONOSUPPORT)
    netlink = argument(2) + one_of((0,), ALLOW, EPROTONOSUPPORT)
    code = argument(0) + when(JEQ, _UNIX, give(ALLOW))
    code += when(JEQ, _INTERNET, internet) + when(JEQ, _INTERNET6, internet) + when(JEQ, _NETLINK, netlink)
    return code + give(EAFNOSUPPORT)


def _setsockopt() -> bytes:
    """No programs in the kernel."""
    filters = argument(2) + one_of(_FILTERS, EPERM, ALLOW)
    return argument(1) + when(JEQ, _SOCKET_LEVEL, filters) + give(ALLOW)


def _prlimit64() -> bytes:
    """Only one's own limits, and never the one on core dumps: at 0 instead of 1 they go to the host's crash handler."""
    code = argument(0) + instruction(JEQ, 0, 1, 0) + give(EPERM)
    code += argument(1) + instruction(JEQ, _RLIMIT_CORE, 1, 0) + give(ALLOW)
    code += argument(2) + instruction(JEQ, 0, 1, 0) + give(PRETEND)
    return code + argument(2, high=True) + one_of((0,), ALLOW, PRETEND)


def _preadv2() -> bytes:
    """What the host has cached of its files is the host's: nobody asks for it (RWF_NOWAIT), or jumps a queue."""
    unknown = ~(_RWF_DSYNC | _RWF_SYNC | _RWF_APPEND) & 0xFFFFFFFF
    return argument(5) + when(JSET, unknown, give(EOPNOTSUPP)) + give(ALLOW)


def _message(place: int) -> Callable[[], bytes]:
    """Without out-of-band data, which CVE-2025-38236 made a way into the kernel; the flags are the argument at this place."""
    return lambda: argument(place) + when(JSET, _MSG_OOB, give(EOPNOTSUPP)) + give(ALLOW)


RULES: Mapping[str, Callable[[], bytes]] = {
    "arch_prctl": lambda: argument(0) + one_of(REGISTERS, ALLOW, EINVAL),
    "clone": _clone,
    "fadvise64": lambda: argument(3) + one_of((_FADV_DONTNEED,), PRETEND, ALLOW),
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "madvise": lambda: argument(2) + one_of(ADVICE, ALLOW, EINVAL),
    "prctl": _prctl,
    "preadv2": _preadv2,
    "prlimit64": _prlimit64,
    "pwritev2": _preadv2,
    "recvfrom": _message(3),
    "recvmmsg": _message(3),
    "recvmsg": _message(2),
    "sendmmsg": _message(3),
    "sendmsg": _message(2),
    "sendto": _message(3),
    "setrlimit": lambda: argument(0) + one_of((_RLIMIT_CORE,), PRETEND, ALLOW),
    "setsockopt": _setsockopt,
    "socket": _socket,
    "socketpair": lambda: argument(0) + one_of((_UNIX,), ALLOW, EAFNOSUPPORT),
    "sync": lambda: give(PRETEND),  # all that a job writes is in memory: nothing of it could be written out
    "syncfs": lambda: give(PRETEND),
}
"""The code for each call that depends on arguments."""
