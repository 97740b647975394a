"""Stands in for ``uv``, ``uvx``, ``pip``, ``curl`` and ``apt-get`` in a verifier, which has no network.

    python3 offline_tools.py COMMAND ARGUMENT...

A package that was asked for counts as installed where it is, in whatever version; a difference is said. ``uvx pytest`` is then the
image's own pytest. Where something is missing, the command of that name which the image has is run, if it has any; else the exit
code is 1, and the last line says what is missing.
"""

import os
import re
import shutil
import sys
from importlib import metadata, util
from typing import List, Tuple

HERE = os.path.dirname(os.path.realpath(__file__))
VALUED = (
    "-p",
    "--python",
    "--index",
    "--index-url",
    "--extra-index-url",
    "-i",
    "--project",
    "--directory",
    "--cache-dir",
    "-r",
)
WITH = ("-w", "--with", "--from")
REPORTS = {"pytest-json-ctrf": "--ctrf", "pytest-json-report": "--json-report-file", "pytest-html": "--html"}
"""Plugins that only write a report, and the option that asks for it: neither changes what passes."""
RUN = "import sys, runpy; sys.path.pop(0); del sys.argv[0]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
"""Runs a module without the working folder among the places to import from: it holds what was submitted."""
Parsed = Tuple[List[str], List[str]]


def main() -> None:
    """Do what the command would do, or what can be done of it."""
    command, *rest = sys.argv[1:]
    acts = {
        "uvx": uvx,
        "uv": uv,
        "pip": pip,
        "pip3": pip,
        "curl": download,
        "wget": download,
        "apt-get": packages,
        "apt": packages,
    }
    acts[command](command, rest)


def split(words: "List[str]") -> Parsed:
    """The packages that options ask for, and what is left from the first word that is no option."""
    wanted: List[str] = []
    words = list(words)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in WITH:
            wanted.append(value if equals else words.pop(0) if words else "")
        elif name in VALUED and not equals and words:
            words.pop(0)
    return wanted, words


def missing(wanted: "List[str]") -> "List[str]":
    """The packages that are not installed; says where another version is."""
    absent = []
    for each in wanted:
        name, version = re.match(r"([A-Za-z0-9._-]*)(.*)", each.strip()).groups()  # type: ignore[union-attr]
        try:
            there = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            if name not in REPORTS:
                absent.append(name or each)
            continue
        if re.search(r"[=@]", version) and there not in version:
            note("%s%s was asked for, and %s is there" % (name, version, there))
    return absent


def uvx(command: str, words: "List[str]") -> None:
    """Run a tool of a package that is installed."""
    wanted, rest = split(words)
    if not rest:
        fail(command, words, "it names no tool")
    tool = re.split(r"[=@<>~\[]", rest[0])[0]
    run(
        command,
        words,
        [*wanted, *([] if any(w.startswith(tool) for w in wanted) else [rest[0]])],
        [tool, *rest[1:]],
    )


def uv(command: str, words: "List[str]") -> None:
    """The subcommands with which test scripts get pytest."""
    start = next((place for place, word in enumerate(words) if not word.startswith("-")), len(words))
    action, rest = (words[start:] or [""])[0], words[start + 1 :]
    if action == "tool" and rest[:1] == ["run"]:
        uvx(command, rest[1:])
    elif action == "run":
        wanted, line = split(rest)
        run(command, words, wanted, line[1:] if line[:1] == ["--"] else line)
    elif action in ("pip", "tool") and rest[:1] == ["install"]:
        install(command, words, rest[1:])
    elif action == "add":
        install(command, words, rest)
    elif action in ("init", "sync", "lock", "self", "--version", "python"):
        note("uv %s: nothing to do without a network" % action)
    elif action == "venv":
        place = next((word for word in rest if not word.startswith("-")), ".venv")
        os.makedirs(os.path.join(place, "bin"), exist_ok=True)
        with open(os.path.join(place, "bin", "activate"), "w") as stream:
            stream.write("deactivate() { :; }\n")
        note("uv venv: %s is empty; what is installed already is used" % place)
    else:
        fail(command, words, "only run, venv, add, pip install and tool run are understood")


def pip(command: str, words: "List[str]") -> None:
    """``install`` of what is there."""
    start = next((place for place, word in enumerate(words) if not word.startswith("-")), len(words))
    if words[start : start + 1] != ["install"]:
        fail(command, words, "only install is understood")
    install(command, words, words[start + 1 :])


def install(command: str, words: "List[str]", asked: "List[str]") -> None:
    """Nothing to do where all is there."""
    wanted: List[str] = []
    rest = list(asked)
    while rest:
        more, rest = split(rest)
        wanted += more
        if rest:
            wanted.append(rest.pop(0))
    absent = missing(wanted)
    if absent or "-r" in asked:
        fail(
            command,
            words,
            "%s is not installed here" % (", ".join(absent) or "what a file of requirements names"),
        )
    note("%s: %s is there" % (command, ", ".join(wanted) or "everything"))


def run(command: str, words: "List[str]", wanted: "List[str]", line: "List[str]") -> None:
    """Become the tool, by this image's own Python where it is a module of it."""
    absent = missing(wanted)
    if absent:
        fail(command, words, "%s is not installed here" % ", ".join(absent))
    if not line:
        fail(command, words, "it names no command")
    for package, option in REPORTS.items():
        if util.find_spec(package.replace("-", "_")) is None:
            line = without(line, option)
    if line[0] in ("python", "python3"):
        line = [sys.executable, *line[1:]]
    elif line[0].endswith(".py"):
        line = [sys.executable, *line]
    elif (
        shutil.which(line[0], path=others()) is None and util.find_spec(line[0].replace("-", "_")) is not None
    ):
        line = [sys.executable, "-c", RUN, *line]
    os.environ["PATH"] = others()
    try:
        os.execvp(line[0], line)
    except OSError as error:
        fail(command, words, "%s cannot be run: %s" % (line[0], error.strerror))


def without(line: "List[str]", option: str) -> "List[str]":
    """A command without an option and its value."""
    kept: List[str] = []
    skip = False
    for word in line:
        if not skip and word != option and not word.startswith(option + "="):
            kept.append(word)
        elif word == option:
            note("%s is left out: nothing here writes such a report" % option)
        skip = word == option and not skip
    return kept


def download(command: str, words: "List[str]") -> None:
    """Fetching uv's installer gives an empty one."""
    if not any("astral.sh/uv" in word for word in words):
        fail(command, words, "there is no network")
    for place, word in enumerate(words[:-1]):
        if word in ("-o", "-O", "--output"):
            with open(words[place + 1], "w"):
                pass


def packages(command: str, words: "List[str]") -> None:
    """Nothing to do where all is there."""
    start = next((place for place, word in enumerate(words) if not word.startswith("-")), len(words))
    action, rest = (words[start:] or [""])[0], words[start + 1 :]
    if action == "install":
        names = [word.partition("=")[0] for word in rest if not word.startswith("-")]
        absent = [name for name in names if not there(name)]
        if absent:
            fail(command, words, "%s is not installed here" % ", ".join(absent))
    elif action not in ("update", "clean", "autoremove", "upgrade"):
        fail(command, words, "only update and install are understood")
    note("%s %s: nothing to do without a network" % (command, action))


def there(name: str) -> bool:
    """Whether a package of the distribution's is there, or stood in for."""
    known = name in ("curl", "wget", "ca-certificates", "python3-pip", "pip")
    tool = {"python3-pytest": "pytest"}.get(name, name)
    listed = os.path.exists("/var/lib/dpkg/info/%s.list" % name)
    return known or listed or shutil.which(tool, path=others()) is not None


def others() -> str:
    """The search path without the folder of the stand-ins."""
    return os.pathsep.join(
        each for each in os.environ.get("PATH", "").split(os.pathsep) if os.path.realpath(each) != HERE
    )


def note(text: str) -> None:
    """Say something that a reader of the log may want to know."""
    sys.stderr.write("offline: %s\n" % text)


def fail(command: str, words: "List[str]", why: str) -> None:
    """Become the image's own command of that name, or end with the reason."""
    real = shutil.which(command, path=others())
    if real is not None and "MX_OFFLINE" not in os.environ:
        os.environ.update(MX_OFFLINE="1", PATH=others(), UV_OFFLINE="1", PIP_NO_INDEX="1")
        note("%s: %s; trying %s" % (command, why, real))
        os.execv(real, [real, *words])
    note("%s %s: %s, and a verifier has no network" % (command, " ".join(words), why))
    sys.exit(1)


main()
