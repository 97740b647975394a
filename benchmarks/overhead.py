"""What the environment itself costs, with policies that cost nothing, beside what other suites' environments cost.

python benchmarks/overhead.py [--backend auto|bubblewrap|docker] [--episodes 50] [--peers CACHE | --no-peers]

Prints the time of ``import mx_envs``; on each backend that is here, of a turn through the AEC API while the script runs in the
sandbox and of a whole episode; of one completion through the endpoint beyond the same client against a server that does nothing.
The other suites are installed in environments of their own under CACHE (``~/.cache/mx-envs/peers``) and
run one after the other in the same call, each with the cheapest environment that it has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import venv
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from mx_envs import software_v0
from mx_envs.episode.served import ServedSandbox
from mx_envs.inside.endpoint.server import Endpoint
from mx_sandboxes import Sandbox, SandboxError, open_sandbox
from mx_tasks import Budget, Task
from mx_tasks.software.sets.micro import MicroTasks

TURNS = 400
BACKENDS = ("docker", "bubblewrap")
LIMITS = {"import mx_envs": 0.5, "AEC turn": 150e-6, "completion beyond the client": 2e-3}
MANY = f"from mas import *\nfor _ in range({TURNS}): Agent('a')('hello')\nsubmit('x')"
ONE = "from mas import *\nsubmit(Agent('a')(task))"

CLIENT = """
import http.client, json, sys
from time import perf_counter
host, port, key, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
head = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
link = http.client.HTTPConnection(host, port)
times = []
for _ in range(count):
    began = perf_counter()
    link.request("POST", "/v1/chat/completions", body, head)
    json.loads(link.getresponse().read())
    times.append(perf_counter() - began)
link.request("POST", "/mx/submit", '{"answer": ""}', head)
link.getresponse().read()
print(json.dumps(times))
"""

NOTHING = """
import http.server, socket
BODY = b'{"choices": [{"message": {"content": "a + b"}}]}'
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class Roomy(MicroTasks):
    """The micro tasks with room for many turns."""

    def find(self, task_id: str) -> Task:
        """The task, with a budget that the benchmark does not reach."""
        return replace(super().find(task_id), budget=Budget(calls=TURNS + 10, wall_s=60.0))


def main() -> None:
    """Print the tables; exit code 1 when a figure is over its limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache" / "mx-envs" / "peers")
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    figures = {"import mx_envs": import_time()}
    for backend in BACKENDS if asked.backend == "auto" else (asked.backend,):
        try:
            with open_sandbox(backend, slots=2) as sandbox:
                figures[f"AEC turn, {backend}"] = turn_time(sandbox)
                figures[f"episode of one turn, {backend}"] = episode_time(sandbox, asked.episodes)
                ours, nothing = completion_time(sandbox), client_time()
        except SandboxError as error:
            if asked.backend != "auto":
                raise
            print(f"{backend} is not here: {str(error).splitlines()[0]}")
    figures["completion beyond the client"] = ours - nothing
    limits = {name: LIMITS.get(name.partition(",")[0]) for name in figures}
    for name, seconds in figures.items():
        limit = limits[name]
        verdict = (
            "" if limit is None else f"   limit {shown(limit)}: {'met' if seconds <= limit else 'NOT MET'}"
        )
        print(f"{name:32} {shown(seconds):>10}{verdict}")
    print(f"{'':32} (completion {shown(ours)}, the client alone {shown(nothing)})")
    if not asked.no_peers:
        print(
            "\nothers, in their own environments: import, then one step of the cheapest environment that each has"
        )
        for name in PEERS:
            print(f"{name:16} {peer(name, asked.peers)}", flush=True)
    sys.exit(int(any(limit is not None and figures[name] > limit for name, limit in limits.items())))


def shown(seconds: float) -> str:
    """A time with a unit that fits."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def import_time(module: str = "mx_envs", python: str = sys.executable, runs: int = 5) -> float:
    """Median seconds of an import in a fresh interpreter, without the interpreter's own start."""
    code = f"from time import perf_counter as t; b = t(); import {module}; print(t() - b)"
    return median(
        float(subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True).stdout.split()[-1])
        for _ in range(runs)
    )  # fmt: skip


def turn_time(sandbox: Sandbox) -> float:
    """Median seconds of a turn: ``last`` and ``step`` of the AEC API with a constant policy, the script running in the sandbox."""
    env: Any = software_v0.env(tasks=Roomy(), sandbox=sandbox)
    times: list[float] = []
    for _ in range(4):
        env.reset(options={"task": "micro-0-train-0"})
        env.step(MANY)
        while env.unwrapped.episode is None:
            began = perf_counter()
            env.last()
            env.step("a + b")
            times.append(perf_counter() - began)
    env.close()
    return median(times[TURNS:])  # the first episode warms up


def episode_time(sandbox: Sandbox, count: int) -> float:
    """Median seconds of a whole episode of one turn, its sandbox and its grading included."""
    env: Any = software_v0.env(tasks=Roomy(), sandbox=sandbox)
    times = []
    for _ in range(count + 3):
        began = perf_counter()
        env.reset(options={"task": "micro-0-train-0"})
        env.step(ONE)
        while env.unwrapped.episode is None:
            env.last()
            env.step("a + b")
        times.append(perf_counter() - began)
    env.close()
    return median(times[3:])


def completion_time(sandbox: Sandbox) -> float:
    """Median seconds of a completion through the endpoint, answered by a constant policy through the AEC API."""
    found: list[float] = []
    clients: list[threading.Thread] = []

    def begin(key: str, _: object) -> None:
        clients.append(threading.Thread(target=lambda: found.extend(client(endpoint.server_port, key))))
        clients[0].start()

    served = ServedSandbox(sandbox, begin)
    endpoint = Endpoint(served.find).start()
    env: Any = software_v0.env(tasks=Roomy(), sandbox=served, grading_sandbox=sandbox)
    env.reset(options={"task": "micro-0-train-0"})
    env.step("# external program: overhead")
    while env.unwrapped.episode is None:
        env.last()
        env.step("a + b")
    clients[0].join()
    env.close()
    endpoint.stop()
    return median(found[TURNS // 4 :])


def client_time() -> float:
    """Median seconds of the same client's request to a server, in a process of its own, that does nothing."""
    server = subprocess.Popen([sys.executable, "-c", NOTHING], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        return median(client(int(server.stdout.readline()), "none")[TURNS // 4 :])
    finally:
        server.kill()
        server.wait()


def client(port: int, key: str) -> list[float]:
    """Seconds of each request of a client in a process of its own."""
    words = [sys.executable, "-c", CLIENT, "127.0.0.1", str(port), key, str(TURNS)]
    times: list[float] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return times


TIMED = """
import statistics, sys, warnings
warnings.simplefilter("ignore")
from time import perf_counter
def timed(step, count=200):
    times = []
    for _ in range(count):
        began = perf_counter()
        step()
        times.append(perf_counter() - began)
    print("SECONDS", statistics.median(times))
"""

PEERS = {
    "gem-llm": ("gem", """
import gem
env = gem.make("game:GuessTheNumber-v0-easy")
env.reset(seed=0)
def step():
    if any(env.step("\\\\boxed{3}")[2:4]): env.reset()
timed(step)
"""),
    "skyrl-gym": ("skyrl_gym", """
import skyrl_gym
from omegaconf import OmegaConf
def step():
    env = skyrl_gym.make("gsm8k", env_config=OmegaConf.create({}), extras={"reward_spec": {"ground_truth": "3"}})
    env.init([{"role": "user", "content": "1 + 2"}])
    env.step("#### 3")
timed(step)
"""),
    "textarena": ("textarena", """
import textarena as ta
env = ta.make("TicTacToe-v0-raw")
env.reset(num_players=2, seed=0)
def step():
    global env
    env.get_observation()
    done, _ = env.step("[0]")
    if done: env.reset(num_players=2, seed=0)
timed(step)
"""),
    "openenv-core": ("openenv.core", """
import asyncio, threading, socket, time
import uvicorn
from openenv.core.env_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from openenv.core.env_client import EnvClient
class Say(Action):
    text: str = ""
class Seen(Observation):
    text: str = ""
class Echo(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    def reset(self, *args, **kwargs): return Seen(text="", done=False, reward=0.0)
    def step(self, action, *args, **kwargs): return Seen(text=action.text, done=False, reward=0.0)
    @property
    def state(self): return State(episode_id="0", step_count=0)
app = create_fastapi_app(Echo, Say, Seen)
link = socket.socket(); link.bind(("127.0.0.1", 0)); port = link.getsockname()[1]; link.close()
server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started: time.sleep(0.05)
import json, websockets.sync.client
with websockets.sync.client.connect(f"ws://127.0.0.1:{port}/ws") as ws:
    ws.send(json.dumps({"type": "reset", "data": {}})); ws.recv()
    def step():
        ws.send(json.dumps({"type": "step", "data": {"text": "a + b"}})); ws.recv()
    timed(step)
"""),
    "verifiers": ("verifiers.v1", """
import verifiers.v1 as vf
timed(lambda: vf.verify_boxed_math_answer("so it is \\\\boxed{3}", "3"), 50)
"""),
    "inspect_ai": ("inspect_ai", """
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
import tempfile
count = 40
task = Task(dataset=[Sample(input="1 + 2", target="3") for _ in range(count)], scorer=match())
with tempfile.TemporaryDirectory() as folder:
    eval(task, model="mockllm/model", log_dir=folder, display="none")
    began = perf_counter()
    eval(task, model="mockllm/model", log_dir=folder, display="none")
    print("SECONDS", (perf_counter() - began) / count)
"""),
}  # fmt: skip
"""What is imported, and a program that prints the seconds of a step."""

STEPS = {
    "skyrl-gym": "an environment of one step, made anew",
    "openenv-core": "a step over its WebSocket",
    "verifiers": "checking one boxed answer, no model",
    "inspect_ai": "one sample with its mock model",
}


def peer(name: str, cache: Path) -> str:
    """Install a suite in an environment of its own, once, and measure it; what went wrong, where something did."""
    module, program = PEERS[name]
    python = cache / name / "bin" / "python"
    if not python.exists():
        venv.create(cache / name, with_pip=True)
    try:
        if subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            subprocess.run(
                [python, "-m", "pip", "install", "-q", name], capture_output=True, check=True, timeout=1200
            )
        imported = import_time(module, str(python), runs=2)
    except (subprocess.SubprocessError, OSError) as error:
        return f"not installed: {error}"
    done = subprocess.run(
        [python, "-c", TIMED + program], capture_output=True, text=True, timeout=300, check=False
    )
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    step = (
        shown(float(found[0]))
        if found
        else f"no step measured: {(done.stderr.strip() or '?').splitlines()[-1][:120]}"
    )
    return f"import {shown(imported):>9}   {step}  {STEPS.get(name, 'a step') if found else ''}"


if __name__ == "__main__":
    main()
