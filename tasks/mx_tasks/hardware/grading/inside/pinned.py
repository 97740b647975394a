"""Where the pinned tools are, and how Yosys is run: for the grader, and for the tool ``synthesise``."""

HOME = "/mx/eda"
PYTHON = f"{HOME}/python"
PACKAGES = f"{HOME}/site"
DRIVER = f"""
import os, sys
sys.path.insert(0, {PACKAGES!r})
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    if line.strip():
        libyosys.run_pass(line, design)
sys.stdout.flush()
os._exit(0)
"""
COMMAND = [PYTHON, "-E", "-s", "-S", "-B", "-c", DRIVER]
"""Runs the commands of standard input, a line each; a command that fails ends it with code 1."""
