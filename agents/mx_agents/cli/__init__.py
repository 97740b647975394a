"""The command line ``mx``."""

from mx_agents.cli.ending import main

__all__ = ["main"]
