"""Whose a slot's death is: that of the job which ran in it, unless the same happens to a job that means no harm.

What a job may have brought about says nothing: the server's last words, its silence, a stream that ended. Evidence comes from where
no job reaches: the kernel's word on how the jail's own process ended, the engine's, and a control, which is a harmless job in a
fresh slot of the same kind. Somebody who kills a jail from outside is known by the first two; its job runs once more. For all else
the control decides: where it is well, the death is the job's own doing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mx_sandboxes.sandbox import Completed, Limits, Reason, SandboxError
from mx_sandboxes.slots.jobs import Request
from mx_sandboxes.slots.slot import Slot, SlotDiedError

CONTROL = ("python", "-c", "pass")
CONTROL_S = 20.0
"""Wall and processor time of a control at least: what it shows is that slots live, not that the machine is fast."""


def suffered(birth: Callable[[Limits], Slot], limits: Limits) -> str:
    """What befalls a harmless job in a fresh slot for these limits, in words; empty where it is well."""
    roomy = replace(limits, wall_s=max(limits.wall_s, CONTROL_S), cpu_s=max(limits.cpu_s, CONTROL_S))
    try:
        slot = birth(limits)
    except SandboxError as error:
        return f"no other slot can be made: {error}"
    try:
        done = slot.run(Request(CONTROL, roomy))
    except SlotDiedError as error:
        return f"a harmless job in a fresh slot: {error}"
    finally:
        slot.close()
    # a limit that is too small for it is no death
    return "a harmless job in a fresh slot did not end" if done.reason is Reason.WALL_TIME else ""


def judged(
    death: SlotDiedError, birth: Callable[[Limits], Slot], limits: Limits, attempts: int = 1
) -> Completed:
    """The end of a job under which its slot died, with nobody outside to blame: the control's word decides."""
    same = suffered(birth, limits)
    reason = Reason.SANDBOX_DIED if same else Reason.BROKE_SANDBOX
    cause = f"{death}; {same}" if same else str(death)
    return Completed(reason, None, wall_s=death.wall_s, attempts=attempts, cause=cause)


def kernel_kills() -> int:
    """How many processes this machine's kernel has killed for want of memory, in all; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
