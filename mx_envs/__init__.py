"""Episodes as PettingZoo and Gymnasium environments."""

from mx_envs import hardware_v0, software_v0, trading_v0
from mx_envs.design import workflow_label
from mx_envs.domain import Domain, domain_of
from mx_envs.episode import Episode, Setting
from mx_envs.guide import DESIGNER_PROMPT, designer_chat
from mx_envs.host import Options
from mx_envs.observation import Message, Observation
from mx_envs.record import EpisodeRecord, Rewards, StopReason, Timing, Turn
from mx_envs.registration import register as _register
from mx_envs.rewards import DefaultRewards, RewardModel
from mx_envs.spaces import Chat, Text
from mx_envs.wire import Question

__all__ = [
    "DESIGNER_PROMPT",
    "Chat",
    "DefaultRewards",
    "Domain",
    "Episode",
    "EpisodeRecord",
    "Message",
    "Observation",
    "Options",
    "Question",
    "RewardModel",
    "Rewards",
    "Setting",
    "StopReason",
    "Text",
    "Timing",
    "Turn",
    "designer_chat",
    "domain_of",
    "hardware_v0",
    "software_v0",
    "trading_v0",
    "workflow_label",
]

_register()
