"""Runs the cases of a repair task in Harbor's own runner: each in a process of its own, values compared here.

Usage: harbor_cases.py CASES APP MODULE REWARD. In mx-envs itself the host grades, with canaries; this is the plain verdict.
"""

import ast
import json
import subprocess
import sys
import tomllib

CALL = """
import importlib, json, sys
app, name, case = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sys.path.insert(0, app)
module = importlib.import_module(name)
space = {key: value for key, value in vars(module).items() if not key.startswith("_")}
space[name] = module
exec(case.get("do", ""), space)
try:
    answer = ["gave", repr(eval(case["give"], space))]
except Exception as error:
    kinds = type(error).__mro__
    answer = ["raised", [kind.__name__ for kind in kinds] + [kind.__module__ + "." + kind.__name__ for kind in kinds]]
print("\\n" + json.dumps(answer))
"""


def passes(case: dict[str, str], app: str, module: str) -> bool:
    """Whether the submitted module does what a case asks for."""
    line = [sys.executable, "-c", CALL, app, module, json.dumps({"do": case.get("do", ""), "give": case["give"]})]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=10, check=False)
        kind, found = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return False
    if kind == "raised":
        return case.get("raises", "") in found
    try:
        return "want" in case and repr(ast.literal_eval(found)) == repr(ast.literal_eval(case["want"].strip()))
    except (ValueError, SyntaxError):
        return False


def main() -> None:
    """Grade and write the reward."""
    cases, app, module, reward = sys.argv[1:]
    with open(cases, "rb") as stream:
        asked = tomllib.load(stream)["case"]
    resolved = all(passes(case, app, module) for case in asked)
    with open(reward, "w") as stream:
        stream.write("1\n" if resolved else "0\n")


main()
