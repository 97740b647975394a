"""The tool ``synthesise``: ports, size and depth of the design after synthesis to AND gates and registers.

Begins with the texts of ``inside/measure.py`` and ``inside/pinned.py``, so that it measures as the grader does. Where there is a
``goal.json``, it says how far the design is from the target.
"""

import json
import os
import re
import subprocess

READERS = (
    "read_verilog -sv -nodisplay -noassert -noassume %s\n",
    "read_slang --ignore-assertions --ignore-timing --allow-use-before-declare %s\n",
)
READ = """hierarchy -check %s
proc -norom
bwmuxmap
flatten
delete */t:$scopeinfo
opt_clean
memory -nomap
opt_clean
"""


def synthesised(files, top):
    """The module after synthesis and Yosys' complaints; no module where both readers have an error."""
    complaints = []
    for reader in READERS:
        done = subprocess.run(
            COMMAND,
            input=reader % " ".join(files) + READ % top + SYNTHESIS + "write_json mx_gates.json\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=30,
        )
        if not done.returncode:
            complaints = []
        complaints += [
            line.strip()
            for line in done.stdout.splitlines()
            if re.search("ERROR|Warning", line) and not line.startswith("ABC:")  # whose remarks are on itself
        ]
        if not done.returncode:
            with open("mx_gates.json") as stream:
                modules = json.load(stream)["modules"]
            return next(iter(modules.values())), complaints
    return None, complaints


def area(cost):
    return cost[0] + 4 * cost[1]


def target(goal, cost, given):
    """How far it is to the target."""
    measures = {"area": area, "depth": lambda each: each[2]}
    have, before = measures[goal["measure"]](cost), measures[goal["measure"]](given)
    limit = min(before * goal["percent"] / 100, before - goal["saving"])
    other = "depth" if goal["measure"] == "area" else "area"
    most = measures[other](given) * goal["other"] / 100
    reached = have <= limit and measures[other](cost) <= most
    return [
        "as given: area %d, depth %d" % (area(given), given[2]),
        "target: %s at most %d, %s at most %d: %s"
        % (goal["measure"], limit, other, most, "reached" if reached else "missed"),
    ]


def main(arguments):
    if arguments.get("design"):
        with open("design.v", "w") as stream:
            stream.write(arguments["design"])
    top, names, given = "-auto-top", ["design.v"], ["given.v"]
    if os.path.exists("examples.json"):
        with open("examples.json") as stream:
            facts = json.load(stream)
        top, names = "-top " + facts["top"], facts.get("files", names)
        given = ["given/" + name for name in names] if "files" in facts else given
    missing = [name for name in names if not os.path.exists(name)]
    if missing:
        return ["there is no %s: write it, or pass the text as design" % missing[0]]
    module, complaints = synthesised(names, top)
    if module is None:
        return ["it cannot be synthesised:", *complaints[-3:]]
    cost = measured(module)
    ports = ", ".join(
        "%s %s[%d]" % (at["direction"], name, len(at["bits"])) for name, at in module["ports"].items()
    )
    lines = [
        "ports: " + ports,
        "AND gates: %d, register bits: %d, area: %d" % (cost[0], cost[1], area(cost)),
        "longest path: %d AND gates" % cost[2],
    ]
    if os.path.exists("goal.json"):
        with open("goal.json") as stream:
            lines += target(json.load(stream), cost, measured(synthesised(given, top)[0]))
    latches = sum("DLATCH" in cell["type"] for cell in module["cells"].values())
    if latches:
        lines.append("%d latches: an assignment is missing on some path" % latches)
    return lines + complaints[:4]


print("\n".join(main(arguments)))  # the tool's own
