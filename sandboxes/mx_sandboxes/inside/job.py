"""The job: from the fork to the program."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal's enums would cost each fork fifty pages
import atexit
import ctypes
import errno
import gc
import marshal
import os
import resource
import runpy
import signal
import socket
import struct
import sys
import traceback
from typing import Any, NoReturn

from mx_sandboxes.inside import kernel, preload
from mx_sandboxes.inside.workspace import WORK, acting_as, copy_files, isolate, writable

CHANNEL = 3
NO_CAPABILITIES = struct.pack("Ii", 0x20080522, 0)
SERVERS = 4
"""Processes of the job server that count as the job's user: keeper, two forkers, and the first one of the job's namespace."""
FIRST_OWN = 4096
IN_FLIGHT = 512
"""Descriptors that the server may have in flight when a job has as many as it may, and a message more (253)."""
OUT_OF_MEMORY = signal.SIGRTMAX - 1
"""How an interpreter of ours ends that nobody kept from running out of memory."""
REFUSED = {
    signal.SIGRTMAX - 2: "disk",
    signal.SIGRTMAX - 3: "file size",
    signal.SIGRTMAX - 4: "open files",
    signal.SIGRTMAX - 5: "processes",
}
"""How it ends when it dies of what a limit refused, after its last words."""
_BY_ERROR = {
    errno.ENOSPC: "disk",
    errno.EFBIG: "file size",
    errno.EMFILE: "open files",
}
FIXED = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}
"""What is true of the preloaded interpreter; with any other setting a new one is started."""


def set_limits(limits: dict[str, Any], spare_processes: int) -> None:
    """Set the resource limits of this process; the keeper watches over the totals of the whole job."""
    cpu = int(limits["cpu_s"]) + 1
    memory = 2 * limits["memory_bytes"] + (
        256 << 20
    )  # address space; what is resident is watched by the keeper
    processes = limits["pids"] + spare_processes
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 1, 1),  # 0 would still give a dump to a host whose core_pattern is a program
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"]),
        (resource.RLIMIT_NPROC, processes, processes),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_SIGPENDING, 4 * processes, 4 * processes),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_NICE, 0, 0),
    ):
        ceiling = resource.getrlimit(kind)[1]
        if kind == resource.RLIMIT_NOFILE and ceiling > 2 * IN_FLIGHT:
            ceiling -= IN_FLIGHT
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


class Filter:
    """A filter of system calls as the kernel takes it."""

    def __init__(self, program: bytes) -> None:
        self.code = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(self.code))
        self.head = ctypes.create_string_buffer(head)


def drop_privileges(program: Filter, uid: int | None) -> None:
    """Give up everything that a job must not have; there is no way back."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    kernel.call("prctl", kernel.PR_CAP_AMBIENT, 4, 0, 0, 0)
    kernel.call("capset", NO_CAPABILITIES, bytes(24))
    kernel.call(
        "prctl", kernel.PR_SET_DUMPABLE, 1, 0, 0, 0
    )  # /dev/stdout and its own /proc belong to the job
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"1000")
    os.close(fd)
    kernel.call("prctl", kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    kernel.call("prctl", kernel.PR_SET_SECCOMP, 2, program.head, 0, 0)


def prepare(hand: socket.socket, isolated: bool) -> tuple[dict[str, Any], list[int]]:
    """Take a request, and make the surroundings of this process those of its job; returns the request and the job's descriptors."""
    length, rights, _, _ = hand.recvmsg(4, socket.CMSG_SPACE(4 * 5), socket.MSG_CMSG_CLOEXEC)
    source, *fds = struct.unpack(f"={len(rights[0][2]) // 4}i", rights[0][2])
    size = struct.unpack("=i", length)[0]
    request: dict[str, Any] = marshal.loads(os.pread(source, size, 0))
    answer = []
    if isolated:
        isolate(request["limits"], request["lower"], request["layers"])
        answer = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=3i", *writable()))]
    if request["files"]:
        with acting_as(request["uid"]):
            copy_files(request["files"], source, size)
    hand.sendmsg([b"R"], answer)
    return request, fds


def become(request: dict[str, Any], program: Filter, fds: list[int]) -> NoReturn:
    """Turn this forked process into the job."""
    uid = request["uid"]
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.setsid()
    connect(fds)
    os.chdir(WORK)
    set_limits(request["limits"], 0 if uid is not None else SERVERS)
    drop_privileges(program, uid)
    environ: dict[str, str] = request["env"]
    argv: list[str] = request["argv"]
    python = argv[0] in ("python", "python3")
    forked = python and forkable(argv, environ)
    if preload.PACKAGES:
        own = environ.get("PYTHONPATH")
        environ["PYTHONPATH"] = ":".join([own, *preload.PACKAGES] if own else preload.PACKAGES)
    if forked:
        for name, value in environ.items():  # the server's own is empty
            os.environ[name] = value
        run_python(argv[1:])
    execute([sys.executable, *argv[1:]] if python else argv, environ)


def connect(fds: list[int]) -> None:
    """Bring the job's descriptors to 0, 1, 2 and, where there is a channel, 3; close all others."""
    if len(fds) > CHANNEL and fds[CHANNEL] < CHANNEL:
        raise ValueError(f"the channel came as descriptor {fds[CHANNEL]}")
    for target, source in enumerate(fds):
        os.dup2(source, target)
    os.closerange(len(fds), FIRST_OWN)


def execute(argv: list[str], environ: dict[str, str]) -> NoReturn:
    """Run another program in this process."""
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # as Python's subprocess does
        _signal.signal(number, _signal.SIG_DFL)
    name, said = argv[0], errno.ENOENT
    folders = [""] if "/" in name else environ.get("PATH", os.defpath).split(":")
    for folder in folders:  # os.execvpe looks there too, and touches many more pages
        try:
            os.execve(f"{folder}/{name}" if folder else name, argv, environ)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                said = error.errno or said
    os.write(2, f"{name}: {os.strerror(said)}\n".encode("utf-8", "replace"))
    os._exit(127 if said == errno.ENOENT else 126)


def forkable(argv: list[str], environ: dict[str, str]) -> bool:
    """Whether the preloaded interpreter does exactly what a new one would."""
    if len(argv) < 2 or (argv[1] in ("-c", "-m") and len(argv) < 3):
        return False
    if any(key.startswith("PYTHON") and value != FIXED.get(key) for key, value in environ.items()):
        return False
    return argv[1] in ("-c", "-m") or (not argv[1].startswith("-") and not os.path.isdir(argv[1]))


def is_pytest(argv: list[str]) -> bool:
    """Whether it is ``python -m pytest ...``."""
    return argv[0] in ("python", "python3") and argv[1:3] == ["-m", "pytest"]


def run_python(arguments: list[str]) -> NoReturn:
    """Run ``-c CODE``, ``-m MODULE`` or ``FILE`` in this process as the interpreter itself would, and exit."""
    code = 1
    refused = None
    try:
        namespace = clean_modules()
        preload.restore_threads()
        gc.enable()  # what is preloaded stays frozen: a collection that looked at it would copy every page that it is on
        run_main(arguments, namespace)
        code = 0
    except SystemExit as error:
        code = exit_code(error.code)
    except MemoryError:
        die_of(OUT_OF_MEMORY)
    except BaseException as error:
        refused = refusal(error)
        report(error)
    finally:
        code = finish(code)
        if refused is not None:
            die_of(refused)
        os._exit(code)


def die_of(number: int) -> None:
    """Let a signal that nobody catches tell the keeper why this process ends."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)


def refusal(error: BaseException) -> int | None:
    """The signal that stands for the limit of which a program dies with this error."""
    name = _BY_ERROR.get(error.errno or 0) if isinstance(error, OSError) else None
    if name is None and isinstance(error, (BlockingIOError, RuntimeError)) and not can_fork():
        name = "processes"
    return next((number for number, limit in REFUSED.items() if limit == name), None)


def can_fork() -> bool:
    """Whether there may be one more process."""
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def clean_modules() -> dict[str, Any]:
    """Make the loaded modules those of a new interpreter, short of what is preloaded; returns the main namespace."""
    preload.hide()
    main = type(sys)("__main__")
    namespace = vars(main)
    namespace.update(__builtins__=sys.modules["builtins"], __annotations__={})
    sys.modules["__main__"] = main
    return namespace


def run_main(arguments: list[str], namespace: dict[str, Any]) -> None:
    """Set ``sys.argv`` and the first place to import from, and run the program."""
    first = arguments[0]
    if first == "-c":
        sys.argv[:] = ["-c", *arguments[2:]]
        sys.path.insert(0, "")
        exec(compile(arguments[1], "<string>", "exec"), namespace)
    elif first == "-m":
        sys.argv[:] = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(arguments[1])  # type: ignore[attr-defined]
    else:
        sys.argv[:] = arguments
        sys.path.insert(0, os.path.dirname(os.path.realpath(first)))
        namespace.update(__file__=first, __cached__=None)
        exec(compile(read_program(first), first, "exec"), namespace)


def read_program(path: str) -> bytes:
    """A program's source, or the interpreter's own words about why not."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        sys.stderr.write(
            f"{sys.executable}: can't open file '{path}': [Errno {error.errno}] {error.strerror}\n"
        )
        sys.exit(2)


def exit_code(value: object) -> int:
    """What ``sys.exit(value)`` makes of its value."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    sys.stderr.write(f"{value}\n")
    return 1


def report(error: BaseException) -> None:
    """Print an uncaught exception without this file's own frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    try:
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException:
        traceback.print_exc()


def finish(code: int) -> int:
    """Do what the interpreter does at its end, short of freeing memory; returns the exit code."""
    try:
        preload.join_threads()
        atexit._run_exitfuncs()
    except BaseException as error:
        report(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # closed, replaced or broken by the job
            code = code or 120
    return code
