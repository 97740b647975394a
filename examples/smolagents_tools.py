"""A tool-calling agent of smolagents with a tool of the episode's workspace (pip install 'smolagents[openai]')."""

import json
import os
import urllib.request

from smolagents import OpenAIServerModel, ToolCallingAgent, tool


@tool
def run(command: str) -> str:
    """Run a shell command in the task's workspace.

    Args:
        command: the command
    """
    request = urllib.request.Request(
        f"{os.environ['MX_URL']}/mx/tools/run",
        json.dumps({"command": command}).encode(),
        {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["result"]


model = OpenAIServerModel(
    "executor", api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]
)
agent = ToolCallingAgent(tools=[run], model=model, max_steps=3, verbosity_level=-1)
answer = agent.run(os.environ["MX_TASK_PROMPT"])

submission = urllib.request.Request(
    f"{os.environ['MX_URL']}/mx/submit",
    json.dumps({"answer": str(answer)}).encode(),
    {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
)
urllib.request.urlopen(submission).close()
