"""anthropic_tools.py: Anthropic's own client, with a tool and a stream; its base URL and key are in the environment.

    mx bench --methods program:'python anthropic_tools.py' --executor openai:MODEL@URL

It needs: pip install anthropic
"""

import json
import os
import urllib.request

import anthropic

TOOL = {
    "name": "run",
    "description": "Run a command in the workspace.",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    },
}


def run(command):
    """The workspace's own tool, over HTTP."""
    head = {"Authorization": "Bearer " + os.environ["ANTHROPIC_API_KEY"]}
    data = json.dumps({"command": command}).encode()
    request = urllib.request.Request(os.environ["MX_URL"] + "/mx/tools/bash", data, head)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["result"]


client = anthropic.Anthropic()
chat = [{"role": "user", "content": os.environ["MX_TASK_PROMPT"]}]
for _ in range(8):
    said = client.messages.create(
        model="coder",
        max_tokens=2000,
        system="You are a coder. Call run: to try.",
        tools=[TOOL],
        messages=chat,
    )
    chat.append({"role": "assistant", "content": said.content})
    calls = [block for block in said.content if block.type == "tool_use"]
    if not calls:
        break
    chat.append(
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": run(call.input["command"])}
                for call in calls
            ],
        }
    )

draft = "".join(block.text for block in said.content if block.type == "text")
question = [
    {
        "role": "user",
        "content": f"{os.environ['MX_TASK_PROMPT']}\n\nThe draft:\n{draft}\n\nAnswer with the final result.",
    }
]
with client.messages.stream(
    model="reviewer",
    max_tokens=2000,
    system="You have the last word on the corrected work.",
    messages=question,
) as stream:
    print("".join(stream.text_stream))
