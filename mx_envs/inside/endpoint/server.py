"""The endpoint over HTTP: one thread a connection, so that a request may be held for as long as its answer takes."""

from __future__ import annotations

import json
import re
import select
import socket
import threading
from urllib.parse import unquote

from . import chat, completions, mcp, messages, responses
from .asking import prompt_tokens, text_of
from .bounded import LARGEST_BODY, STRANGERS_BODY, Bounded, BoundedServer, TooMuch
from .desk import Closed, Desk
from .plain import NotPlain, read_json
from .sampling import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Optional

    from .asking import Asking, Said
    from .desk import Call

TOO_LARGE = 413
LOOK_S = 1.0
"""How often a held request looks whether its client is still there."""
HEARTBEAT_S = 15.0
"""Silence after which a held request is told that it is still held."""
MODELS = ("executor",)
KINDS = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/responses": "responses",
    "/messages": "messages",
}
COUNT = "/messages/count_tokens"
FORMS = {"chat": chat, "completions": completions, "responses": responses, "messages": messages}


class Refused(Exception):  # noqa: N818  # what a client is told
    """An error in OpenAI's shape."""

    def __init__(self, status: int, message: str, code: str, param: Optional[str] = None) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param

    def body(self) -> dict[str, Any]:
        """The error as clients read it."""
        kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
        kind = kinds.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class Passed(Exception):  # noqa: N818  # what a client is told
    """The executor's server refused just this request; the client is told in that server's own words."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status, self.body = status, body


class Gone(Exception):  # noqa: N818  # a client's choice
    """The client has hung up."""


class _Work:
    """Something that is done on a thread of its own, so that its client can be told meanwhile that it is."""

    def __init__(self, work: Callable[[], dict[str, Any]]) -> None:
        self.over = threading.Event()
        self._found: Optional[dict[str, Any]] = None
        self._error: Optional[Exception] = None
        threading.Thread(target=self._do, args=(work,), name="held work", daemon=True).start()

    def _do(self, work: Callable[[], dict[str, Any]]) -> None:
        try:
            self._found = work()
        except Exception as error:  # raised again where it is waited for
            self._error = error
        finally:
            self.over.set()

    def result(self) -> dict[str, Any]:
        """What came of it. Raises what it raised."""
        if self._found is None:
            raise self._error or RuntimeError("no result")
        return self._found


class Endpoint(BoundedServer):
    """A server for the desks that ``find`` knows by key; None for a key that it does not know.

    ``open_episode``, where there is one, answers ``POST /mx/episodes``: it gets the key and the request's JSON, and raises
    Refused. Serves on threads of its own from :meth:`start` to :meth:`stop`.
    """

    def __init__(
        self,
        find: Callable[[str], Optional[Desk]],
        host: str = "127.0.0.1",
        port: int = 0,
        open_episode: Optional[Callable[[str, dict[str, Any]], dict[str, Any]]] = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.find, self.open_episode, self.heartbeat_s = find, open_episode, heartbeat_s
        self._thread: Optional[threading.Thread] = None
        super().__init__((host, port), _Connection)

    @property
    def url(self) -> str:
        """Where it is, without ``/v1``."""
        return f"http://{self.server_name}:{self.server_port}"

    def start(self) -> Endpoint:
        """Serve until :meth:`stop`."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="endpoint", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Take no more connections; close all desks before."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()


class _Connection(Bounded):
    """One connection: request after request."""

    server: Endpoint

    def do_GET(self) -> None:  # noqa: N802  http.server names it
        self._serve(self._get)

    def do_POST(self) -> None:  # noqa: N802  http.server names it
        self._serve(self._post)

    def _serve(self, handle: Callable[[str], None]) -> None:
        self.begun = False
        try:
            self._check_origin()
            self.body = self.read_body(STRANGERS_BODY if self._is_stranger() else LARGEST_BODY)
            handle(self._path())
        except Refused as refused:
            self._refuse(refused)
        except TooMuch as over:
            self._refuse(
                Refused(over.status, str(over), "too_large" if over.status == TOO_LARGE else "bad_request")
            )
        except BadRequest as bad:
            self._refuse(Refused(400, str(bad), bad.code, bad.param))
        except Passed as passed:
            self._pass(passed)
        except Closed as closed:
            self._refuse(Refused(410, f"the episode is over: {closed}", "episode_over"))
        except (Gone, OSError):
            self.close_connection = True
        except Exception as error:
            self._refuse(
                Refused(500, f"the request could not be served ({type(error).__name__})", "internal_error")
            )

    def _is_stranger(self) -> bool:
        return self.server.find(self._key()[0]) is None

    def _check_origin(self) -> None:
        """Raise Refused for a page that a browser has from elsewhere."""
        origin = self.headers.get("Origin")
        if origin is not None and not self.is_local(origin.partition("://")[2]):
            self.close_connection = True
            raise Refused(403, f"pages from {origin[:100]} have no business here", "foreign_origin")

    def _pass(self, passed: Passed) -> None:
        """Hand on the refusal of an executor's server as it came, in the form of the API that was asked."""
        if self.begun:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif "/messages" in self._path():
            self._json(messages.error(passed.status, passed.body), passed.status)
        else:
            self._reply(passed.status, passed.body.encode())

    def _refuse(self, refused: Refused) -> None:
        if (
            self.begun
        ):  # an answer has begun: all that is left is to cut it off, which no client takes for a whole one
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        theirs = "/messages" in self._path()
        body = messages.error(refused.status, str(refused), refused.code) if theirs else refused.body()
        self._json(body, refused.status)

    # ------------------------------------------------------------------------------------------------ routes

    def _get(self, path: str) -> None:
        if path == "/health":
            return self._json({"status": "ok"})
        desk, _ = self._desk()
        if path.startswith("/models"):
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "mx-envs"} for name in MODELS]
            named = path[len("/models/") :]
            return self._json({**models[0], "id": named} if named else {"object": "list", "data": models})
        if path == "/mx/task":
            return self._json(dict(desk.task))
        if path == "/mx/trials":
            return self._serve_task(desk, "trials", "list", {})
        if path == "/mx/tools":
            return self._json({"tools": [{"type": "function", "function": tool} for tool in desk.tools]})
        raise Refused(404, f"there is nothing at GET {self.path}", "not_found")

    def _post(self, path: str) -> None:
        if path == "/mx/episodes" and self.server.open_episode is not None:
            return self._json(self.server.open_episode(self._key()[0], self._object()))
        desk, agent = self._desk()
        if path in KINDS:
            return self._complete(desk, agent, KINDS[path])
        if path.endswith(COUNT):
            asking = messages.read({"max_tokens": 1, **self._object()})
            return self._json({"input_tokens": prompt_tokens(asking.messages)})
        if path == "/mx/submit":
            return self._submit(desk)
        if path == "/mx/finish":
            self._json({"finished": True})
            return desk.finish()
        if path.startswith("/mx/tools/"):
            return self._json({"result": desk.use(path[len("/mx/tools/") :], self._object())})
        if path.startswith("/mx/services/"):
            service, _, method = path[len("/mx/services/") :].partition("/")
            return self._serve_task(desk, service, method, self._object())
        if path == "/mx/trials":
            return self._serve_task(desk, "trials", "run", self._object())
        if path == "/mcp":
            answer = mcp.answer(desk, self._value(b"null"))
            return self._json(answer) if answer is not None else self._reply(202, b"")
        raise Refused(404, f"there is nothing at POST {self.path}", "not_found")

    def do_DELETE(self) -> None:  # noqa: N802  http.server names it
        """The end of an MCP session, of which nothing is kept."""
        self._serve(lambda _: self._json({}))

    def _submit(self, desk: Desk) -> None:
        answer = self._object().get("answer", "")
        text = answer if isinstance(answer, str) else text_of(answer, "answer")
        if desk.closed:
            raise Closed(desk.closed)
        if not desk.of_one_task:
            raise BadRequest("an answer is handed in for a task: X-MX-Task: ID", "X-MX-Task", "no_task")
        self._json(
            {"submitted": True}
        )  # said before it is done: inside the sandbox nothing runs after a submission
        desk.submit(text)

    def _serve_task(self, desk: Desk, service: str, method: str, arguments: dict[str, Any]) -> None:
        """A call of the task's service on the host, held for as long as it takes. What is wrong with a trial is a refusal."""
        work = _Work(lambda: desk.serve(service, method, arguments))
        self._hold(work.over, False)
        reply = work.result()
        if service == "trials" and "result" not in reply and not self.begun:
            raise BadRequest(str(reply.get("error")))
        self._whole(reply["result"] if service == "trials" and "result" in reply else reply)

    def _complete(self, desk: Desk, agent: str, kind: str) -> None:
        body = self._object()
        asking = self._responses(desk, body) if kind == "responses" else FORMS[kind].read(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = desk.enter(asking, self.body, headers, agent, self._gone)
        served = True
        try:
            self._hold(call.over, asking.stream)
            said = self._said(call)
            if self._gone():  # so that whoever asks again gets this answer
                raise Gone
            self._answer(kind, asking, said, call, body)
        except (Gone, OSError):
            served = False
            raise
        finally:
            desk.leave(call, served)

    def _responses(self, desk: Desk, body: dict[str, Any]) -> Asking:
        """A request of Responses, with the conversation that it goes on."""
        previous = str(body.get("previous_response_id") or "")
        if previous and previous not in desk.conversations:
            raise Refused(404, f"there is no response {previous!r}", "not_found", "previous_response_id")
        return responses.read(body, desk.conversations.get(previous) or [])

    def _said(self, call: Call) -> list[Said]:
        """The executor's answers. Raises Closed and Refused when there are none, Passed for what its server refused.

        Fewer than were asked for where a budget of tokens ended between them: what was charged is handed out.
        """
        if not call.answers:
            raise Closed(call.desk.closed)
        said = [answer for answer in call.answers if answer is not None]
        if not said:
            raise Refused(403, "the episode's budget is used up", "budget_exceeded")
        refused = next((each.error for each in said if each.error is not None), None)
        if refused is not None:
            raise Passed(refused["status"], refused["body"])
        return said

    def _answer(self, kind: str, asking: Asking, said: list[Said], call: Call, body: dict[str, Any]) -> None:
        if kind == "responses":
            self._desk()[0].conversations[responses.response_id(call.label)] = responses.conversation(
                asking, said
            )
        about = (asking, said, call.label, call.created)
        if asking.stream:
            self._stream(FORMS[kind].pieces(*about, body))
            return
        whole = responses.whole(*about, body) if kind == "responses" else FORMS[kind].whole(*about)
        self._whole(whole)

    def _whole(self, value: Any) -> None:
        """Send the answer, or the rest of one that has begun."""
        if self.begun:
            self._chunk(json.dumps(value).encode())
            self._chunk(b"")
        else:
            self._json(value)

    # ------------------------------------------------------------------------------------------------ holding

    def _hold(self, over: threading.Event, stream: bool) -> None:
        """Wait for the answer. A client that waits long is sent comments or blanks, which keep its time-outs from firing."""
        silent = 0.0
        step = min(LOOK_S, self.server.heartbeat_s)
        while not over.wait(step):
            if self._gone():
                raise Gone
            silent += step
            if silent >= self.server.heartbeat_s:
                silent = 0.0
                self._begin("text/event-stream" if stream else "application/json")
                self._chunk(b": still held\n\n" if stream else b" ")

    def _gone(self) -> bool:
        """Whether the client has hung up."""
        try:
            poll = select.poll()
            poll.register(self.connection, select.POLLIN)
            return bool(poll.poll(0)) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):  # reset, or closed here
            return True

    def _stream(self, events: Iterator[str]) -> None:
        self._begin("text/event-stream")
        for event in events:
            self._chunk(event.encode("utf-8", "replace"))
        self._chunk(b"")

    def _begin(self, kind: str) -> None:
        """Send the head of an answer that comes in chunks, once."""
        if self.begun:
            return
        self.begun = True
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    # ------------------------------------------------------------------------------------------------ HTTP

    def _path(self) -> str:
        """The request's path without query, ``/key/KEY`` and ``/v1``.

        Clients join base URL and route in their own ways (two slashes, ``/v1`` twice or not at all, a deployment's name before the
        route as at Azure), so what a completion's path ends in decides.
        """
        path = re.sub("/+", "/", self.path.split("?", 1)[0]).rstrip("/")
        if path.startswith("/key/"):
            _, _, rest = path[len("/key/") :].partition("/")
            path = f"/{rest}"
        while path.startswith("/v1/"):
            path = path[3:]
        if path.startswith("/mx/"):
            return path
        return next((kind for kind in KINDS if path.endswith(kind)), path)

    def _key(self) -> tuple[str, str]:
        """The key and the agent's name after its first colon."""
        if self.path.startswith("/key/"):
            given = unquote(self.path[len("/key/") :].split("/", 1)[0])
        else:
            bearer = self.headers.get("Authorization", "")
            given = bearer[7:] if bearer[:7].lower() == "bearer " else ""
            given = given or self.headers.get("X-API-Key") or self.headers.get("api-key") or ""
        key, _, agent = given.strip().partition(":")
        return key, agent

    def _desk(self) -> tuple[Desk, str]:
        key, agent = self._key()
        desk = self.server.find(key)
        if desk is None:
            raise Refused(
                401,
                "this key opens no episode; it goes into the header Authorization: Bearer KEY",
                "invalid_api_key",
            )
        named = desk.named((self.headers.get("X-MX-Task") or "").strip())
        return named, (self.headers.get("X-MX-Agent") or agent).strip()

    def _value(self, otherwise: bytes) -> Any:
        try:
            return read_json(self.body or otherwise)
        except NotPlain as error:
            raise BadRequest(f"the request's body is no JSON: {error}") from None

    def _object(self) -> dict[str, Any]:
        body = self._value(b"{}")
        if not isinstance(body, dict):
            raise BadRequest("the request's body is an object")
        return body

    def _json(self, value: Any, status: int = 200) -> None:
        self._reply(status, json.dumps(value).encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
