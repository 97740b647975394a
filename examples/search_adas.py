"""search_adas.py: a meta agent writes designs with an archive before its eyes, after ADAS.

S. Hu, C. Lu, J. Clune, "Automated Design of Agentic Systems", ICLR 2025, arXiv 2408.08435; the authors' code is
github.com/ShengranHu/ADAS. Run it as a method beside others, with a designer for the meta agent:

    mx bench --methods single,optimiser:'python search_adas.py' --designer openai:MODEL@URL --search-calls 5000 ...

As published (Meta Agent Search): the archive begins with known designs; in each of 30 generations the meta agent sees all of it
with its fitness (a mean with a 95 % interval), thinks, writes a design, reflects on it twice (is it new, is it right; then a second
look), and gets up to three tries in all where the design crashes or no task succeeds, with the error before its eyes; what comes of
it joins the archive. Otherwise: designs are scripts over `mas` instead of a function `forward`; the archive begins with four
designs, not seven; the interval is this project's; the search ends when its calls are used up; the best one is handed in.
"""

import json
import os
import re
import urllib.error
import urllib.request

GENERATIONS, DEBUGGING = 30, 3
HEAD = 'from mas import *\nsolver = Agent("solver", "Answer with the solution alone.")\n'
KNOWN = {
    "Chain of thought": HEAD
    + 'text = solver(f"{task}\\n\\nThink step by step. Then write ANSWER: and the solution.")\n'
    'submit(text.rpartition("ANSWER:")[2].strip())',
    "Self-consistency": HEAD + "submit(vote(solver, task, 5))",
    "Self-refine": HEAD
    + 'submit(reflect(solver, Agent("critic", "Find the mistake, or say LGTM."), task, 2))',
    "Debate": HEAD + "submit(debate([solver.fresh() for _ in range(3)], task, 1))",
}
ASK = """Designs that are known, with their fitness on validation tasks:

{archive}

Write the next one: new, and better. Learn from what these do well, and from other fields. Answer with one JSON object with the
fields "thought" (what is new in it and why it should work), "name" and "code" (the whole script)."""
REFLECT = (
    "Look at your proposal again: is it really another one than those of the archive, is it better, is there a mistake in the "
    "code? Answer with the same JSON object, mended, with a field reflection.",
    "Check the code once more against the guide: names, arguments, what is handed in. Answer with the same JSON object, mended.",
)
DEBUG = "It did not work:\n{error}\n\nFind out why, and mend the code without changing the idea. Answer with the same JSON object."


class Over(Exception):  # noqa: N818
    """The search's calls are used up."""


class Search:
    """The wrapper: trials and completions at the endpoint that started this program."""

    def http(self, path, body=None):
        """JSON in, JSON out."""
        head = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(os.environ["MX_URL"] + path, data, head)
            ) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refused:
            if refused.code == 403:
                raise Over from None
            raise

    def trial(self, design):
        """How a design does on the validation split."""
        found = self.http("/mx/trials", {"candidate": design, "tasks": "validation"})
        if not found["complete"]:
            raise Over
        return found

    def ask(self, chat):
        """The meta agent's proposal; it is added to the chat. None where it is none."""
        said = self.http("/v1/chat/completions", {"model": "meta agent", "messages": chat})
        text = said["choices"][0]["message"]["content"]
        chat.append({"role": "assistant", "content": text})
        try:
            found = json.loads(re.search(r"\{.*\}", text, re.DOTALL)[0])
            return {"name": str(found["name"]), "code": str(found["code"])}
        except (TypeError, ValueError, LookupError):
            return None


def entry(name, code, found):
    """A design of the archive, with its fitness."""
    low, high = found["interval"]["low"], found["interval"]["high"]
    held = "" if low is None else f", 95 % interval {low * 100:.1f} to {high * 100:.1f} %"
    return {
        "name": name,
        "code": code,
        "score": found["score"],
        "fitness": f"{found['score'] * 100:.1f} %{held}",
    }


def fault(found):
    """What is wrong with a design that no task succeeded with; empty where some did."""
    if found["score"] >= 0.01:
        return ""
    errors = [run["error"] for run in found["results"] if run["error"]]
    return errors[0] if errors else "no task succeeded"


def generation(search, guide, archive):
    """A new design, reflected on, mended where it fails; None where nothing came of it."""
    shown = [{name: each[name] for name in ("name", "code", "fitness")} for each in archive]
    chat = [{"role": "system", "content": guide}]
    chat.append({"role": "user", "content": ASK.format(archive=json.dumps(shown, indent=1))})
    proposal = search.ask(chat)
    for more in REFLECT:
        chat.append({"role": "user", "content": more})
        proposal = search.ask(chat) or proposal
    made = None
    for _ in range(DEBUGGING):
        error = "there is no JSON object with name and code"
        if proposal is not None:
            found = search.trial(proposal["code"])
            made, error = entry(proposal["name"], proposal["code"], found), fault(found)
        if not error:
            break
        chat.append({"role": "user", "content": DEBUG.format(error=error)})
        proposal = search.ask(chat) or proposal
    return made


def main():
    """Search, and hand in the best."""
    search, archive = Search(), []
    guide = search.http("/mx/trials")["guide"]
    try:
        for name, code in KNOWN.items():
            archive.append(entry(name, code, search.trial(code)))
        for number in range(GENERATIONS):
            made = generation(search, guide, archive)
            if made is not None:
                archive.append(made)
                print(f"generation {number + 1}: {made['name']} {made['fitness']}", flush=True)
    except Over:
        print("the calls are used up", flush=True)
    best = max(archive, key=lambda each: each["score"], default={"code": KNOWN["Self-consistency"]})
    search.http("/mx/submit", {"answer": best["code"]})


if __name__ == "__main__":
    main()
