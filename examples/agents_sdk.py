"""A triage agent that hands over to a solver, with the OpenAI Agents SDK over /v1/responses (pip install openai-agents).

The solver has the task's workspace tools from the episode's own MCP server.
"""

import asyncio
import os

from agents.mcp import MCPServerStreamableHttp

from agents import Agent, Runner, set_tracing_disabled

set_tracing_disabled(True)  # traces would go to a vendor


async def main() -> None:
    """Run, and print the final output."""
    where = {
        "url": f"{os.environ['MX_URL']}/mcp",
        "headers": {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    }
    async with MCPServerStreamableHttp(where, cache_tools_list=True) as workspace:
        solver = Agent(
            "solver", instructions="Solve the task. Answer with the result alone.", mcp_servers=[workspace]
        )
        reviewer = Agent("reviewer", instructions="Check the answer; give the corrected answer alone.")
        prompt = os.environ["MX_TASK_PROMPT"]
        draft = (await Runner.run(solver, prompt)).final_output
        final = (await Runner.run(reviewer, f"{prompt}\n\nThe answer:\n{draft}")).final_output
    print(final)


asyncio.run(main())
