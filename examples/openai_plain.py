"""Two roles over the plain OpenAI client. Run as a method: mx bench --methods "single,program:python examples/openai_plain.py"."""

import os

from openai import OpenAI

client = OpenAI()  # OPENAI_BASE_URL and OPENAI_API_KEY lead to the episode's executors


def ask(role: str, text: str) -> str:
    """One completion: one executor's step."""
    messages = [{"role": "system", "content": role}, {"role": "user", "content": text}]
    return (
        client.chat.completions.create(model="executor", messages=messages).choices[0].message.content or ""
    )


task = os.environ["MX_TASK_PROMPT"]
draft = ask("You solve the task. Answer with the result alone.", task)
review = ask("You review. Say LGTM, or what is wrong.", f"{task}\n\nThe answer:\n{draft}")
if "LGTM" not in review:
    draft = ask("You solve the task. Answer with the result alone.", f"{task}\n\nA reviewer says:\n{review}")
print(draft)  # what a program prints is its answer
