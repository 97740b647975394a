"""Episodes as PettingZoo and Gymnasium environments."""

from mx_envs import hardware_v0, market_v0, software_v0, trading_v0
from mx_envs.episode.design import workflow_label
from mx_envs.episode.episode import Episode
from mx_envs.episode.guide import DESIGNER_PROMPT, GUIDES, designer_chat, guide_text
from mx_envs.episode.observation import Message, Observation
from mx_envs.episode.record import EpisodeRecord, Rewards, StopReason, Timing, Turn
from mx_envs.episode.rewards import DefaultRewards, RewardModel
from mx_envs.episode.setting import Setting
from mx_envs.episode.wire import Question
from mx_envs.faces.domain import Domain, domain_of
from mx_envs.faces.face import AECEnvironment, ParallelEnvironment
from mx_envs.faces.options import Options
from mx_envs.faces.spaces import Chat, Text
from mx_envs.registration import register as _register

__all__ = [
    "DESIGNER_PROMPT",
    "GUIDES",
    "AECEnvironment",
    "Chat",
    "DefaultRewards",
    "Domain",
    "Episode",
    "EpisodeRecord",
    "Message",
    "Observation",
    "Options",
    "ParallelEnvironment",
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
    "guide_text",
    "hardware_v0",
    "market_v0",
    "software_v0",
    "trading_v0",
    "workflow_label",
]

_register()
