"""Things that act: one module for each kind of policy, and :func:`load_policy`, which finds one by its name on the command line."""

from mx_agents.policies.loading import POLICY_KINDS, as_policy, is_shared, load_policy
from mx_agents.policies.random_text import RandomPolicy
from mx_agents.policies.scripted import ScriptedPolicy

__all__ = ["POLICY_KINDS", "RandomPolicy", "ScriptedPolicy", "as_policy", "is_shared", "load_policy"]
