"""The tools that hardware tasks bring for their executors: ``simulate``, ``lint`` and ``synthesise``."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from mx_tasks.task import Tool

DESIGN = {
    "design": {
        "type": "string",
        "description": "the whole of design.v, if it is to be written first",
        "default": "",
    }
}


def _source(name: str, folder: str = "workspace") -> str:
    return resources.files("mx_tasks.hardware").joinpath(folder, f"{name}.py").read_text("utf-8")


TOOLS = (
    Tool(
        "simulate",
        "Compile design.v and run the public examples; shows the first difference.",
        DESIGN,
        _source("simulate"),
    ),
    Tool("lint", "Warnings about design.v.", DESIGN, _source("lint")),
    Tool(
        "synthesise",
        "Ports, area and depth of design.v after synthesis.",
        DESIGN,
        _source("measure", "grading/inside") + _source("pinned", "grading/inside") + _source("synthesise"),
    ),
)

BENCH_TOOLS = (
    Tool(
        "simulate",
        "Compile tb.v and run it on design.v (write one of your own) or on a design without logic; tells the verdict.",
        {
            "testbench": {
                "type": "string",
                "description": "the whole of tb.v, if it is to be written first",
                "default": "",
            },
            **DESIGN,
        },
        _source("testbench"),
    ),
    *(tool for tool in TOOLS if tool.name != "simulate"),
)

FILE_TOOLS = tuple(
    replace(tool, arguments={}, description=tool.description.replace("design.v", "the design's files"))
    for tool in TOOLS
)
"""The same for designs of several files, as they are in the workspace."""
