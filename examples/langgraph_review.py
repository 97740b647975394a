"""Solve, review, and solve again, as a LangGraph graph (pip install langgraph langchain-openai)."""

import os
from typing import TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph

model = ChatOpenAI(model="executor")


class State(TypedDict):
    """What the nodes pass on."""

    answer: str
    review: str
    rounds: int


def ask(role: str, text: str) -> str:
    """One completion."""
    return str(model.invoke([("system", role), ("user", text)]).content)


def solve(state: State) -> dict[str, object]:
    """Answer, knowing the review."""
    note = f"\n\nA reviewer says:\n{state['review']}" if state["review"] else ""
    answer = ask("You solve the task. Answer with the result alone.", os.environ["MX_TASK_PROMPT"] + note)
    return {"answer": answer, "rounds": state["rounds"] + 1}


def review(state: State) -> dict[str, object]:
    """Look at the answer."""
    return {
        "review": ask(
            "You review. Say LGTM, or what is wrong.", f"{os.environ['MX_TASK_PROMPT']}\n\n{state['answer']}"
        )
    }


def onward(state: State) -> str:
    """Again, unless it is right or enough."""
    return END if "LGTM" in state["review"] or state["rounds"] >= 2 else "solve"


graph = StateGraph(State)
graph.add_node("solve", solve)
graph.add_node("review", review)
graph.add_edge(START, "solve")
graph.add_edge("solve", "review")
graph.add_conditional_edges("review", onward, ["solve", END])
print(graph.compile().invoke({"answer": "", "review": "", "rounds": 0})["answer"])
