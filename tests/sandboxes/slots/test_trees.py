"""Trees: sent once, the same in every job, and never changed by one."""

from __future__ import annotations

import os

import pytest

from mx_sandboxes import How, Limits, Reason, Sandbox, Tree, open_sandbox

FILES = {f"d{n % 7}/f{n}.py": bytes([n]) * 10_000 for n in range(100)}
LOOK = """
import hashlib, os
found = {}
for top, _, names in os.walk("."):
    for name in names:
        path = os.path.relpath(os.path.join(top, name))
        found[path] = open(path, "rb").read()
hashed = hashlib.sha256()
for name in sorted(found):
    hashed.update(b"%d %d\\n" % (len(name.encode()), len(found[name])) + name.encode() + found[name])
print(hashed.hexdigest())
"""
SPOIL = """
import os, shutil
shutil.rmtree("d1"); os.mkdir("d1"); open("d1/new", "w").write("x")
open("d2/f2.py", "a").write("more"); os.remove("d3/f3.py"); os.chmod("d4", 0)
os.rename("d5/f5.py", "moved"); open("top", "wb").write(bytes(1 << 20))
print(sorted(os.listdir("d1")), os.path.getsize("d2/f2.py"), os.path.exists("d3/f3.py"), os.path.getsize("moved"))
"""


def digest(sandbox: Sandbox, tree: Tree) -> str:
    done = sandbox.run(["python", "-c", LOOK], files=tree)
    assert done.ok, done
    return done.stdout.decode().strip()


def test_every_job_finds_the_whole_tree_whatever_others_did_to_it(sandbox: Sandbox) -> None:
    tree = Tree(FILES)
    names = ["d2/f2.py", "d1/new", "d3/f3.py", "d6/f6.py"]
    with open_sandbox(sandbox.backend, slots=1) as single:
        for _ in range(3):
            assert digest(single, tree) == tree.digest
            done = single.run(["python", "-c", SPOIL], files=tree, collect=names)
            assert done.stdout == b"['new'] 10004 False 10000\n", done
            assert set(done.files) == {"d2/f2.py", "d1/new", "d6/f6.py"}
        assert single.run(["ls", "-A"]).stdout == b""


def test_files_on_top_belong_to_one_job(sandbox: Sandbox) -> None:
    base = Tree({"a": b"1", "b/c": b"2"})
    both = base | {"a": b"3", "d": b"4"}
    assert dict(both) == {"a": b"3", "b/c": b"2", "d": b"4"}
    assert (both.digest, len(both), len(base)) == (base.digest, 3, 2)
    assert sandbox.run(["sh", "-c", "cat a b/c d"], files=both).stdout == b"324"
    assert sandbox.run(["sh", "-c", "cat a b/c; ls"], files=base).stdout == b"12a\nb\n"


def test_trees_are_kept_apart_and_out_of_sight(sandbox: Sandbox) -> None:
    with open_sandbox(sandbox.backend, slots=1) as single:
        secret = Tree({"hidden-test": b"secret"})
        assert single.run(["cat", "hidden-test"], files=secret).stdout == b"secret"
        look = f"ls -A; ls -A /mx/trees; cat /mx/trees/{secret.digest}/hidden-test; cat /proc/self/mountinfo"
        for files in (Tree({"x": b"y"}), {}):
            done = single.run(["sh", "-c", look], files=files)
            assert b"/work" in done.stdout or sandbox.backend == "docker"
            assert b"hidden" not in done.stdout
            assert b"secret" not in done.stdout
            assert secret.digest.encode() not in done.stdout


def test_a_jail_lays_the_workspace_over_the_tree(sandbox: Sandbox) -> None:
    kernel = sandbox.capabilities["trees stay as they are"].how is How.KERNEL
    done = sandbox.run(
        ["sh", "-c", "grep -c ' - overlay .*userxattr' /proc/self/mountinfo"], files=Tree({"a": b"1"})
    )
    assert done.stdout == (b"1\n" if kernel else b"0\n")


def test_the_oldest_make_room(sandbox: Sandbox) -> None:
    trees = [Tree({"big": os.urandom(9 << 20), "n": b"%d" % n}) for n in range(5)]
    with open_sandbox(sandbox.backend, slots=1) as single:
        for _ in range(2):
            for number, tree in enumerate(trees):
                assert single.run(["cat", "n"], files=tree).stdout == b"%d" % number
        huge = Tree({"big": bytes(40 << 20)})
        assert single.run(["stat", "-c", "%s", "big"], files=huge).stdout == b"%d\n" % (40 << 20)


def test_a_tree_counts_against_the_workspace(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        sandbox.run(["true"], files=Tree({"a": bytes(2000)}), limits=Limits(workspace_bytes=1000))
    fill = "n = 0\nwhile True:\n    open(f'{n}', 'wb').write(bytes(1 << 19))\n    n += 1"
    done = sandbox.run(["python", "-c", fill], files=Tree(FILES), limits=Limits(workspace_bytes=4 << 20))
    assert done.reason is Reason.DISK


def test_the_digest_is_the_content_s_alone() -> None:
    assert Tree({"a": b"1", "b": b"2"}).digest == Tree({"b": b"2", "a": b"1"}).digest
    different = [{"a": b"1"}, {"a": b"12"}, {"a1": b""}, {"a": b"", "1": b""}, {}]
    assert len({Tree(files).digest for files in different}) == len(different)


def test_impossible_trees_are_refused() -> None:
    with pytest.raises(ValueError, match="name"):
        Tree({"../x": b""})
    with pytest.raises(ValueError, match="'a' is a file and the folder of 'a/b'"):
        Tree({"a": b"", "a/b": b""})
    with pytest.raises(ValueError, match="a file and the folder"):
        Tree({"a": b""}) | {"a/b": b""}
