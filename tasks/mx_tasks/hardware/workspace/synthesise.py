"""The tool ``synthesise``: ports, size and depth of design.v after synthesis to AND gates and registers."""

import json
import os
import re
import subprocess

SCRIPT = """read_verilog -sv design.v
hierarchy -check %s
proc
flatten
opt
memory_map
techmap
opt
dffunmap
simplemap
abc -g AND
opt_clean
tee -o mx_ltp.txt ltp -noff
write_json mx_gates.json
"""


def main(arguments):
    if arguments.get("design"):
        with open("design.v", "w") as stream:
            stream.write(arguments["design"])
    if not os.path.exists("design.v"):
        return ["there is no design.v: write it, or pass the text as design"]
    top = "-auto-top"
    if os.path.exists("examples.json"):
        with open("examples.json") as stream:
            top = "-top " + json.load(stream)["top"]
    done = subprocess.run(
        ["yosys", "-q", "-"],
        input=SCRIPT % top,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=30,
    )
    complaints = [line.strip() for line in done.stdout.splitlines() if re.search("ERROR|Warning", line)]
    if done.returncode:
        return ["it cannot be synthesised:", *complaints[-3:]]
    with open("mx_gates.json") as stream:
        modules = json.load(stream)["modules"]
    module = next(iter(modules.values()))
    kinds = [cell["type"] for cell in module["cells"].values()]
    registers = sum("DFF" in kind or "DLATCH" in kind for kind in kinds)
    latches = sum("DLATCH" in kind for kind in kinds)
    ands = kinds.count("$_AND_")
    with open("mx_ltp.txt") as stream:
        path = re.search(r"length=(\d+)", stream.read())
    ports = ", ".join(
        "%s %s[%d]" % (at["direction"], name, len(at["bits"])) for name, at in module["ports"].items()
    )
    lines = [
        "ports: " + ports,
        "AND gates: %d, register bits: %d, area: %d" % (ands, registers, ands + 4 * registers),
    ]
    lines.append("longest path: %s gates and inverters" % (path.group(1) if path else "0"))
    if latches:
        lines.append("%d latches: an assignment is missing on some path" % latches)
    return lines + complaints[:4]


print("\n".join(main(arguments)))  # the tool's own
