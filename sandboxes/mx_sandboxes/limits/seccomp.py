"""The system call filter of jobs: a classic BPF program that refuses what no job needs and what kernels were broken through.

One program serves x86_64 and aarch64; any other architecture, and the x32 calls, kill the process. It stands on top of
whatever filter the container engine has.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

# Refused with EPERM. name: (x86_64, aarch64), None where the architecture has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "io_cancel": (210, 3),
    "io_destroy": (207, 1),
    "io_getevents": (208, 4),
    "io_pgetevents": (333, 292),
    "io_setup": (206, 0),
    "io_submit": (209, 2),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_getsetattr": (245, 185),
    "mq_notify": (244, 184),
    "mq_open": (240, 180),
    "mq_timedreceive": (243, 183),
    "mq_timedsend": (242, 182),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "semctl": (66, 191),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "uselib": (134, None),
    "vhangup": (153, 58),
}
CLONE_FLAGS = 0x017D5FFF
"""What a process or thread may be made with: the signal of its end, and what C libraries set: VM, FS, FILES, SIGHAND, PIDFD,
VFORK, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID, DETACHED (without effect since Linux 2.6), CHILD_SETTID.

Not PARENT: such a child is its maker's sibling, for whoever runs the job to bury, and outlives it. Not PTRACE and UNTRACED, which
are for tracers; not the NEW* flags, which make namespaces; not IO, whose contexts are the disks'; none that a future kernel brings.

clone3, whose flags a filter cannot see, does not exist in here: C libraries fall back to clone."""
FIRST_UNKNOWN = 451
"""From this call on (cachestat, Linux 6.5), which has the same number on both architectures, none exists in here: C libraries
fall back, and what a future kernel brings has to be looked at first."""
INTERNET_PROTOCOLS = (0, 6, 17)
"""The default, TCP and UDP. Others make the kernel load code that few have ever looked at."""

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x50000
_EPERM, _EINVAL, _ENOSYS, _EPROTONOSUPPORT, _EOPNOTSUPP, _EAFNOSUPPORT = (
    _ERRNO | number for number in (1, 22, 38, 93, 95, 97)
)
_PRETEND = _ERRNO
"""Nothing is done, and the program is told that it was."""
_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_UNIX, _INTERNET, _INTERNET6, _NETLINK = 1, 2, 10, 16
_RLIMIT_CORE = 4
_F_SETLEASE, _F_NOTIFY = 1024, 1026
_MSG_OOB = 1
_MADV_MERGEABLE, _MADV_COLD, _MADV_PAGEOUT = 12, 20, 21
_FADV_DONTNEED = 4
_RWF_DSYNC, _RWF_SYNC, _RWF_APPEND = 2, 4, 16
_CACHES = {
    "fadvise64": ((221, 223), 3),
    "madvise": ((28, 233), 2),
    "preadv2": ((327, 286), 5),
    "pwritev2": ((328, 287), 5),
}
"""Calls by which a program learns or decides what is cached of files that it shares with the host, and which argument says so."""
_OUT_OF_BAND = {"sendto": 3, "recvfrom": 3, "sendmsg": 2, "recvmsg": 2, "sendmmsg": 3, "recvmmsg": 3}
"""Which argument of a call holds its flags. CVE-2025-38236 made out-of-band data a way into the kernel."""
_TRANSFERS = {
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "sendmmsg": (307, 269),
    "recvmmsg": (299, 243),
}


@dataclass(frozen=True)
class _Machine:
    audit: int
    column: int
    clone: int
    fcntl: int
    prlimit64: int
    setrlimit: int
    socket: int
    socketpair: int
    x32: bool


_MACHINES = (
    _Machine(
        0xC000003E, 0, clone=56, fcntl=72, prlimit64=302, setrlimit=160, socket=41, socketpair=53, x32=True
    ),
    _Machine(
        0xC00000B7,
        1,
        clone=220,
        fcntl=25,
        prlimit64=261,
        setrlimit=164,
        socket=198,
        socketpair=199,
        x32=False,
    ),
)
_CLONE3 = 435


def _instruction(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, k)


def _argument(number: int, *, high: bool = False) -> bytes:
    """Load half of an argument."""
    return _instruction(_LOAD, 16 + 8 * number + 4 * high)


def _give(answer: int) -> bytes:
    return _instruction(_RETURN, answer)


def _if(test: int, value: int, then: bytes) -> bytes:
    """Run ``then`` (which returns) when what is loaded passes the test."""
    return _instruction(test, value, 0, len(then) // 8) + then


def _one_of(values: Sequence[int], yes: int, no: int) -> bytes:
    """Return one answer when what is loaded is among the values, the other when it is not."""
    tests = [_instruction(_JEQ, value, len(values) - place) for place, value in enumerate(values)]
    return b"".join(tests) + _give(no) + _give(yes)


def _arguments(machine: _Machine) -> bytes:
    """The calls that are refused for some of their arguments."""
    making = _argument(0) + _if(_JSET, ~CLONE_FLAGS & 0xFFFFFFFF, _give(_EPERM)) + _give(_ALLOW)
    # a lease or a notice on a file of the host's is a window on who opens it there
    control = _argument(1) + _one_of((_F_SETLEASE, _F_NOTIFY), _EPERM, _ALLOW)
    # inside their namespaces; AF_VSOCK, for one, knows none. Of netlink only routes: the events of devices are the host's
    internet = _argument(2) + _one_of(INTERNET_PROTOCOLS, _ALLOW, _EPROTONOSUPPORT)
    netlink = _argument(2) + _one_of((0,), _ALLOW, _EPROTONOSUPPORT)
    sockets = _argument(0) + _if(_JEQ, _UNIX, _give(_ALLOW))
    sockets += _if(_JEQ, _INTERNET, internet) + _if(_JEQ, _INTERNET6, internet) + _if(_JEQ, _NETLINK, netlink)
    pairs = _argument(0) + _one_of((_UNIX,), _ALLOW, _EAFNOSUPPORT)
    # only one's own limits, and never the one on core dumps: at 0 instead of 1 they go to the host's crash handler
    own = _argument(0) + _instruction(_JEQ, 0, 1, 0) + _give(_EPERM)
    own += _argument(1) + _instruction(_JEQ, _RLIMIT_CORE, 1, 0) + _give(_ALLOW)
    own += _argument(2) + _instruction(_JEQ, 0, 1, 0) + _give(_PRETEND)
    own += _argument(2, high=True) + _one_of((0,), _ALLOW, _PRETEND)
    core = _argument(0) + _one_of((_RLIMIT_CORE,), _PRETEND, _ALLOW)
    # what the host has cached of its files is the host's: no job evicts it, asks for it, or has its own pages merged with others'
    answers = {
        "fadvise64": _one_of((_FADV_DONTNEED,), _PRETEND, _ALLOW),
        "madvise": _one_of((_MADV_MERGEABLE, _MADV_COLD, _MADV_PAGEOUT), _EINVAL, _ALLOW),
        "preadv2": _if(_JSET, ~(_RWF_DSYNC | _RWF_SYNC | _RWF_APPEND) & 0xFFFFFFFF, _give(_EOPNOTSUPP))
        + _give(_ALLOW),
        "pwritev2": _if(_JSET, ~(_RWF_DSYNC | _RWF_SYNC | _RWF_APPEND) & 0xFFFFFFFF, _give(_EOPNOTSUPP))
        + _give(_ALLOW),
    }
    caches = b"".join(
        _if(_JEQ, numbers[machine.column], _argument(place) + answers[name])
        for name, (numbers, place) in _CACHES.items()
    )
    transfers = b"".join(
        _if(
            _JEQ,
            pair[machine.column],
            _argument(_OUT_OF_BAND[name]) + _if(_JSET, _MSG_OOB, _give(_EOPNOTSUPP)) + _give(_ALLOW),
        )
        for name, pair in _TRANSFERS.items()
    )
    return (
        transfers
        + caches
        + _if(_JEQ, machine.clone, making)
        + _if(_JEQ, machine.fcntl, control)
        + _if(_JEQ, machine.socket, sockets + _give(_EAFNOSUPPORT))
        + _if(_JEQ, machine.socketpair, pairs)
        + _if(_JEQ, machine.prlimit64, own)
        + _if(_JEQ, machine.setrlimit, core)
    )


def _section(machine: _Machine) -> bytes:
    """The instructions for one architecture: they start with the call's number loaded and always return."""
    numbers = [pair[machine.column] for pair in REFUSED.values()]
    code = _instruction(_LOAD, _NUMBER)
    if machine.x32:
        code += _if(_JGE, 0x40000000, _give(_KILL))
    code += (
        _if(_JGE, FIRST_UNKNOWN, _give(_ENOSYS)) + _if(_JEQ, _CLONE3, _give(_ENOSYS)) + _arguments(machine)
    )
    return code + _one_of(sorted({number for number in numbers if number is not None}), _EPERM, _ALLOW)


def program(machines: Sequence[_Machine] = _MACHINES) -> bytes:
    """The whole filter as an array of ``struct sock_filter``."""
    code = _instruction(_LOAD, _ARCHITECTURE)
    for machine in machines:
        code += _if(_JEQ, machine.audit, _section(machine))
    return code + _give(_KILL)
