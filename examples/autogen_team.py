"""A solver and a reviewer as an AutoGen round-robin team (pip install autogen-agentchat 'autogen-ext[openai]')."""

import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient

FAMILY = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "family": "unknown",
    "structured_output": True,
}


async def main() -> None:
    """Discuss the task, then print the solver's last word."""
    client = OpenAIChatCompletionClient(model="executor", model_info=FAMILY)
    solver = AssistantAgent("solver", client, system_message="Solve the task. Answer with the result alone.")
    critic = AssistantAgent(
        "critic", client, system_message="Review the last answer. Say LGTM if it is right."
    )
    end = TextMentionTermination("LGTM") | MaxMessageTermination(4)
    result = await RoundRobinGroupChat([solver, critic], termination_condition=end).run(
        task=os.environ["MX_TASK_PROMPT"]
    )
    print([message.content for message in result.messages if message.source == "solver"][-1])
    await client.close()


asyncio.run(main())
