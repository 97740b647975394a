"""Which families belong to which kind of task and to which split: families are held out, not seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from mx_tasks.hardware.generate import arithmetic, combinational, composed, fsm, protocol, sequential
from mx_tasks.hardware.generate.spec import Spec
from mx_tasks.task import Split

Family = Callable[[random.Random], Spec]

KINDS: Mapping[str, Mapping[Split, tuple[Family, ...]]] = {
    "combinational": {
        "train": (
            combinational.expression,
            combinational.selector,
            combinational.adder,
            combinational.bits_of,
        ),
        "validation": (combinational.truth_table, combinational.priority),
        "test": (combinational.compare, combinational.lookup),
    },
    "sequential": {
        "train": (sequential.counter, sequential.shifter),
        "validation": (sequential.byte_enables,),
        "test": (sequential.lfsr, sequential.edges),
    },
    "fsm": {
        "train": (fsm.moore,),
        "validation": (fsm.timer,),
        "test": (fsm.mealy, fsm.detector),
    },
    "arithmetic": {
        "train": (arithmetic.accumulator, arithmetic.alu),
        "validation": (arithmetic.extremes,),
        "test": (arithmetic.pipeline,),
    },
    "protocol": {
        "train": (protocol.queue, protocol.arbiter),
        "validation": (protocol.checksum,),
        "test": (protocol.sender,),
    },
    "composed": {
        "train": (composed.pair,),
        "validation": (composed.trio,),
        "test": (composed.quartet,),
    },
}


def families(kind: str, split: Split) -> tuple[Family, ...]:
    """The families of a kind in a split; ``repair`` draws from all kinds. Raises KeyError for another kind."""
    if kind == "repair":
        return tuple(family for each in KINDS.values() for family in each[split])
    return KINDS[kind][split]
