"""A solver and a critic as AG2 agents (pip install 'ag2[openai]')."""

import asyncio
import os

from ag2 import Agent
from ag2.config import OpenAIConfig

config = OpenAIConfig("executor")  # OPENAI_BASE_URL and OPENAI_API_KEY lead to the episode's executors
solver = Agent("solver", "Solve the task. Answer with the result alone.", config=config)
critic = Agent("critic", "Review the answer. Say LGTM, or what is wrong.", config=config)


async def main() -> None:
    """Solve, review, solve again where the review finds something."""
    prompt = os.environ["MX_TASK_PROMPT"]
    answer = await solver.ask(prompt)
    review = await critic.ask(f"{prompt}\n\nThe answer:\n{answer.body}")
    if "LGTM" not in (review.body or ""):
        answer = await answer.ask(f"A reviewer says:\n{review.body}")
    print(answer.body)


asyncio.run(main())
