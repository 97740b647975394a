"""Run a command or a session in isolation, put files in, get files out."""

from mx_sandboxes.backends.docker.images import build_image
from mx_sandboxes.backends.docker.tags import image_names, image_tag
from mx_sandboxes.opening import Sandboxes, capabilities, open_sandbox
from mx_sandboxes.sandbox import (
    Capabilities,
    Capability,
    Completed,
    How,
    Job,
    Json,
    Limits,
    Reason,
    Sandbox,
    SandboxError,
    SandboxUnavailableError,
    Session,
    SessionEndedError,
)
from mx_sandboxes.slots.trees import Tree

__all__ = [
    "Capabilities",
    "Capability",
    "Completed",
    "How",
    "Job",
    "Json",
    "Limits",
    "Reason",
    "Sandbox",
    "SandboxError",
    "SandboxUnavailableError",
    "Sandboxes",
    "Session",
    "SessionEndedError",
    "Tree",
    "build_image",
    "capabilities",
    "image_names",
    "image_tag",
    "open_sandbox",
]
