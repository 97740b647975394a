"""A crew of a solver and a reviewer (pip install crewai)."""

import os

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OTEL_SDK_DISABLED", "true")

from crewai import LLM, Agent, Crew, Task

llm = LLM(
    model="openai/executor", base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]
)
prompt = os.environ["MX_TASK_PROMPT"].replace("{", "{{").replace("}", "}}")
solver = Agent(role="solver", goal="Solve the task", backstory="You answer with the result alone.", llm=llm)
critic = Agent(
    role="critic", goal="Correct the answer", backstory="You answer with the corrected result alone.", llm=llm
)
solve = Task(description=prompt, expected_output="the result alone", agent=solver)
check = Task(
    description="Check the answer to the task.",
    expected_output="the corrected result alone",
    agent=critic,
    context=[solve],
)
result = Crew(agents=[solver, critic], tasks=[solve, check], verbose=False).kickoff()
print(result.raw)
