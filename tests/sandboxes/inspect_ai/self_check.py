"""inspect_ai's portable checks on our adapter; run by test_inspect_ai.py with inspect_ai's own environment, never collected here.

Run by hand: MX_BACKEND=bubblewrap PYTHONPATH=sandboxes PEER/bin/python -m pytest -c /dev/null --noconftest this/file
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from adapter import MxSandboxEnvironment
from inspect_ai.util._sandbox.self_check import *  # noqa: F403

from mx_sandboxes import open_sandbox

pytestmark = pytest.mark.anyio
UNSUPPORTED = {
    "test_exec_as_user": "a job has one user id, and no way to another: that is a promise, not a gap"
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """asyncio is what we need to support."""
    return "asyncio"


@pytest.fixture(scope="module")
def opened() -> Iterator[MxSandboxEnvironment]:
    """One session for all checks, as a sample of inspect_ai's has."""
    with open_sandbox(os.environ["MX_BACKEND"], slots=1) as sandbox:
        environment = MxSandboxEnvironment(sandbox)
        yield environment
        environment.close()


@pytest.fixture
def sandbox_env(opened: MxSandboxEnvironment, request: pytest.FixtureRequest) -> MxSandboxEnvironment:
    """What the checks ask for."""
    reason = UNSUPPORTED.get(request.node.originalname)
    if reason:
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    return opened
