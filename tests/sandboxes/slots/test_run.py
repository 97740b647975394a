"""One job: what goes in, what comes out, how it ended."""

from __future__ import annotations

import json

import pytest

from mx_sandboxes import Limits, Reason, Sandbox


def python(sandbox: Sandbox, code: str, **more: object) -> bytes:
    done = sandbox.run(["python", "-c", code], **more)  # type: ignore[arg-type]
    assert done.ok, done
    return done.stdout


def test_a_program_says_how_it_ended(sandbox: Sandbox) -> None:
    done = sandbox.run(
        ["python", "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"]
    )
    assert (done.reason, done.exit_code, done.stdout, done.stderr) == (Reason.EXITED, 7, b"out\n", b"err\n")
    assert not done.ok
    assert 0 < done.cpu_s < 5
    assert 0 < done.wall_s < 10
    assert 1 << 20 < done.peak_memory_bytes < 256 << 20


@pytest.mark.parametrize(
    ("value", "code"), [("", 0), ("None", 0), ("3", 3), ("256 + 4", 4), ("-1", 255), ("'words'", 1)]
)
def test_exit_codes_are_the_interpreter_s_own(sandbox: Sandbox, value: str, code: int) -> None:
    done = sandbox.run(["python", "-c", f"import sys; sys.exit({value})"])
    assert (done.exit_code, done.stderr) == (code, b"words\n" if "words" in value else b"")


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["no-such-program"], 127), (["/etc/passwd"], 126), (["python", "missing.py"], 2), (["false"], 1)],
)
def test_what_cannot_be_started_is_the_shell_s_exit_code(
    sandbox: Sandbox, argv: list[str], code: int
) -> None:
    done = sandbox.run(argv)
    assert (done.reason, done.exit_code) == (Reason.EXITED, code)


@pytest.mark.parametrize("program", ["python", "sh"])
@pytest.mark.parametrize("signal", [6, 9, 11, 15])
def test_a_signal_is_a_negative_exit_code(sandbox: Sandbox, program: str, signal: int) -> None:
    text = {"python": f"import os; os.kill(os.getpid(), {signal})", "sh": f"kill -{signal} $$"}[program]
    done = sandbox.run([program, "-c", text])
    assert (done.reason, done.exit_code) == (Reason.SIGNALLED, -signal)


def test_an_exception_prints_as_if_nothing_stood_between(sandbox: Sandbox) -> None:
    done = sandbox.run(["python", "bad.py"], files={"bad.py": b"def f():\n    1 / 0\n\nf()\n"})
    lines = done.stderr.decode().splitlines()
    assert done.exit_code == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "bad.py", line 4, in <module>'
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert sum("File" in line for line in lines) == 2


@pytest.mark.parametrize("option", ["-s", "-I"])
def test_a_forked_interpreter_looks_like_a_new_one(sandbox: Sandbox, option: str) -> None:
    code = (
        "import sys, os, signal, gc; print([sys.argv, __name__, sys.stdin.encoding, sys.stdout.encoding, gc.isenabled(),"
        " signal.getsignal(signal.SIGINT).__name__, signal.getsignal(signal.SIGCHLD), os.umask(0),"
        " 'mx_sandboxes' in sys.modules, sorted(dir()), exit.__class__.__name__, os.getcwd(), sys.executable])"
    )
    new = sandbox.run(["python", option, "-c", code, "a", "b"])
    assert new.ok, new
    assert sandbox.run(["python", "-c", code, "a", "b"]).stdout == new.stdout


def test_python_runs_files_and_modules_with_their_arguments(sandbox: Sandbox) -> None:
    code = b"import sys, pkg.other\nprint(__name__, sys.argv, pkg.other.x, __file__)\n"
    files = {"pkg/__init__.py": b"", "pkg/other.py": b"x = 5\n", "pkg/main.py": code, "top.py": code}
    top = sandbox.run(["python", "top.py", "a", "b"], files=files)
    assert top.stdout == b"__main__ ['top.py', 'a', 'b'] 5 top.py\n", top
    module = sandbox.run(["python", "-m", "pkg.main", "c"], files=files)
    assert module.stdout == b"__main__ ['/work/pkg/main.py', 'c'] 5 /work/pkg/main.py\n", module


def test_what_a_program_leaves_for_its_end_is_done(sandbox: Sandbox) -> None:
    code = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
        "print('main', end=' ')"
    )
    assert python(sandbox, code) == b"main thread\nlast\n"


def test_bytes_pass_unchanged(sandbox: Sandbox) -> None:
    data = bytes(range(256)) * 4000
    done = sandbox.run(["cat"], stdin=data, limits=Limits(output_bytes=2 << 20))
    assert done.ok
    assert done.stdout == data
    assert sandbox.run(["cat"]).stdout == b""


def test_stdout_and_stderr_are_apart(sandbox: Sandbox) -> None:
    done = sandbox.run(["sh", "-c", r"printf '\377\000out'; printf '\376err' >&2"])
    assert (done.stdout, done.stderr) == (b"\xff\x00out", b"\xfeerr")


def test_the_environment_is_fixed_and_can_be_added_to(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "do-not-tell")
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    inside = json.loads(python(sandbox, code, env={"EXTRA": "ä"}))
    assert inside["EXTRA"] == "ä"
    assert inside["HOME"] == "/work"
    assert "do-not-tell" not in inside.values()
    fresh = json.loads(sandbox.run(["sh", "-c", f"exec python -c '{code}'"]).stdout)
    assert set(fresh) - {"PWD", "SHLVL", "OLDPWD", "_"} == set(inside) - {"EXTRA"}


def test_an_interpreter_setting_is_honoured(sandbox: Sandbox) -> None:
    assert python(sandbox, "import sys; print(sys.flags.optimize)", env={"PYTHONOPTIMIZE": "2"}) == b"2\n"


def test_hashing_is_the_same_in_every_job_and_random_numbers_are_not(sandbox: Sandbox) -> None:
    code = "import random; print(hash('a'), random.random())"
    first, second = python(sandbox, code).split(), python(sandbox, code).split()
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_files_go_in_and_named_files_come_out(sandbox: Sandbox) -> None:
    done = sandbox.run(
        ["python", "-c", "open('out/b', 'wb').write(open('in/a', 'rb').read()[::-1])"],
        files={"in/a": b"\x00\xff", "out/x": b"", "ünï": b"1"},
        collect=["out/b", "missing", "out/missing", "in", "ünï"],
    )
    assert done.ok
    assert done.files == {"out/b": b"\xff\x00", "ünï": b"1"}


def test_a_large_tree_goes_in_and_out(sandbox: Sandbox) -> None:
    files = {f"d{i % 7}/f{i}": bytes([i % 256]) * 10_000 for i in range(300)}
    done = sandbox.run(["true"], files=files, collect=list(files))
    assert done.files == files


@pytest.mark.parametrize(
    "make",
    [
        "os.symlink('/etc/passwd', 'out')",
        "os.symlink('real', 'out'); open('real', 'w').write('x')",
        "open('real', 'w').write('x'); os.link('real', 'out')",
        "os.mkfifo('out')",
        "os.mkdir('out')",
        "import socket; socket.socket(socket.AF_UNIX).bind('out')",
    ],
)
def test_only_plain_files_come_out(sandbox: Sandbox, make: str) -> None:
    done = sandbox.run(
        ["python", "-c", f"import os; {make}"], collect=["out"], limits=Limits(file_bytes=8 << 20)
    )
    assert done.reason is Reason.EXITED
    assert done.files == {}


def test_a_file_over_the_limit_does_not_come_out(sandbox: Sandbox) -> None:
    files = {"just": bytes(1000), "over": bytes(1001)}
    done = sandbox.run(["true"], files=files, collect=list(files), limits=Limits(file_bytes=1000))
    assert done.files == {"just": bytes(1000)}


def test_a_linked_folder_does_not_lead_out(sandbox: Sandbox) -> None:
    done = sandbox.run(["ln", "-s", "/etc", "out"], collect=["out/passwd"])
    assert done.ok
    assert done.files == {}


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "a/../../x", "a//b", "", ".", "a//", "/", "./a", "a\0b", "x" * 300]
)
def test_names_that_leave_the_workspace_are_refused(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        sandbox.run(["true"], files={name: b""})
    with pytest.raises(ValueError, match="name"):
        sandbox.run(["true"], collect=[name])


def test_a_folder_comes_out_whole_and_without_links(sandbox: Sandbox) -> None:
    make = "mkdir -p a/b; echo 1 > a/x; echo 2 > a/b/y; ln -s /etc/passwd a/z; ln a/x a/w; ln -s /etc d"
    with pytest.raises(ValueError, match="name"):
        sandbox.run(["true"], files={"a/": b""})
    done = sandbox.run(["sh", "-c", make], collect=["a/", "d/", "none/"])
    assert done.files == {"a/b/y": b"2\n"}  # a/x and a/w are one file with two names


def test_mistakes_of_the_caller_are_value_errors(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="argv"):
        sandbox.run([])
    with pytest.raises(ValueError, match="sequence of strings"):
        sandbox.run("true")
    with pytest.raises(ValueError, match="sequence of strings"):
        sandbox.run(["true"], collect="out")
    with pytest.raises(ValueError, match="NUL"):
        sandbox.run(["true", "\0"])
    with pytest.raises(ValueError, match="wall_s"):
        sandbox.run(["true"], limits=Limits(wall_s=0))
    with pytest.raises(ValueError, match="do not fit"):
        sandbox.run(["true"], files={"a": bytes(2000)}, limits=Limits(workspace_bytes=1000))


def test_the_distribution_s_pytest_runs(sandbox: Sandbox) -> None:
    found = sandbox.run(["python", "-c", "import pytest"])
    if not found.ok:
        pytest.skip("the interpreter inside has no pytest")
    done = sandbox.run(
        ["python", "-m", "pytest", "-q"], files={"test_a.py": b"def test_a():\n    assert 1 == 2\n"}
    )
    assert done.exit_code == 1, done
    assert b"1 failed" in done.stdout


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(memory_bytes=1.5e8), "memory_bytes is a whole number"),  # type: ignore[arg-type]
        (Limits(pids=True), "pids is a whole number"),
        (Limits(memory_bytes=1 << 60), "memory_bytes is 1,125,899,906,842,624 at most"),
        (Limits(cpu_s=1e300), "cpu_s is 10,000,000 at most"),
        (Limits(wall_s=float("inf")), "wall_s is 10,000,000 at most"),
        (Limits(wall_s=float("nan")), "wall_s must be positive"),
        (Limits(wall_s="5"), "wall_s is a number of seconds"),  # type: ignore[arg-type]
        (Limits(open_files=0), "open_files must be positive"),
    ],
)
def test_a_limit_that_is_none_is_an_error_that_says_so(sandbox: Sandbox, limits: Limits, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sandbox.run(["true"], limits=limits)
    with pytest.raises(ValueError, match=says):
        sandbox.session(["true"], limits=limits)


@pytest.mark.parametrize(
    "files", [{"a": b"", "a/b": b""}, {"a/b/c": b"", "a/b": b"", "z": b""}, {"a": b"", "a/b/c/d": b""}]
)
def test_a_name_that_is_a_file_and_a_folder_is_an_error_that_says_so(
    sandbox: Sandbox, files: dict[str, bytes]
) -> None:
    with pytest.raises(ValueError, match="is a file and the folder of"):
        sandbox.run(["true"], files=files)
