"""Grades a task in Harbor's own runner, inside the verifier's container: original tree, submitted sources, hidden tests.

Usage: harbor_grade.py ORIGINAL SUBMITTED TESTS REWARD. In mx-envs itself the host grades, with canaries; this is the plain verdict.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from xml.etree import ElementTree as ET


def main() -> None:
    """Grade and write the reward."""
    original, submitted, tests, reward = sys.argv[1:]
    with open(os.path.join(tests, "expected.json")) as stream:
        expected = json.load(stream)
    place = tempfile.mkdtemp()
    tree = os.path.join(place, "tree")
    shutil.copytree(original, tree)
    for source in expected["sources"]:
        bring(submitted, tree, source)
    shutil.copytree(os.path.join(tests, "files"), tree, dirs_exist_ok=True)
    with open(os.path.join(tree, "pytest.ini"), "w") as stream:
        stream.write(expected["config"])
    report = os.path.join(place, "report.xml")
    wanted = expected["fail_to_pass"] + expected["pass_to_pass"]
    files = sorted({test.partition("::")[0] for test in wanted})
    line = [sys.executable, "-m", "pytest", "-q", "-c", "pytest.ini", "--rootdir=.", "-p", "no:cacheprovider"]
    line += ["-o", "junit_family=xunit1", "--junitxml=" + report, *expected.get("arguments", ()), *files]
    subprocess.call(line, cwd=tree, timeout=10 * expected["wall_s"])
    passed = outcomes(report)
    resolved = all(passed.get(junit_name(test), False) for test in wanted)
    with open(reward, "w") as stream:
        stream.write("1\n" if resolved else "0\n")


def bring(submitted: str, tree: str, source: str) -> None:
    """Replace a source by what was submitted; links are not followed."""
    there, here = os.path.join(submitted, source), os.path.join(tree, source)
    if not source.endswith("/"):
        if os.path.isfile(there) and not os.path.islink(there):
            os.makedirs(os.path.dirname(here), exist_ok=True)
            shutil.copyfile(there, here)
        elif os.path.exists(here):
            os.unlink(here)
        return
    shutil.rmtree(here, ignore_errors=True)
    for folder, _, names in os.walk(there):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".py") and name != "conftest.py" and not os.path.islink(path):
                target = os.path.join(here, os.path.relpath(path, there))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(path, target)


def junit_name(test: str) -> "tuple[str, str]":
    """The class and name that a JUnit report gives a test of that pytest id."""
    path, *inner = test.partition("[")[0].split("::")
    bracket = test.partition("[")[1:]
    return ".".join([path.replace("/", ".").removesuffix(".py"), *inner[:-1]]), inner[-1] + "".join(bracket)


def outcomes(report: str) -> "dict[tuple[str, str], bool]":
    """Whether each test of a report passed."""
    found: "dict[tuple[str, str], bool]" = {}
    try:
        cases = ET.parse(report).getroot().iter("testcase")
    except (OSError, ET.ParseError):
        return found
    for case in cases:
        name = (case.get("classname", ""), case.get("name", ""))
        good = not any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        found[name] = good and found.get(name, True)
    return found


main()
