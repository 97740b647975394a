"""What runs in a session for inspect_ai's adapter: files and commands, asked for by frames. Standard library only.

A question is a frame with ``op``; bytes follow in frames of base64 text, as many as the question or the answer says.
"""

# ruff: noqa: PTH103, PTH120, PTH123, SIM115
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

CHUNK = 3 << 20
channel = socket.socket(fileno=int(os.environ.pop("MX_CHANNEL")))


def read_exactly(size):
    """So many bytes; ends this program when the host is gone."""
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            sys.exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive():
    """The host's next frame."""
    return json.loads(read_exactly(int.from_bytes(read_exactly(4), "big")))


def send(frame):
    """One frame."""
    data = json.dumps(frame).encode()
    channel.sendall(struct.pack(">I", len(data)) + data)


def take(size, file):
    """Bytes that follow a question, written as they come; all are taken even where they cannot be written."""
    error = None
    while size:
        data = base64.b64decode(receive())
        size -= len(data)
        try:
            if error is None and file is not None:
                file.write(data)
        except OSError as found:
            error = found
    if error is not None:
        raise error


def give(file):
    """Bytes that follow an answer."""
    while data := file.read(CHUNK):
        send(base64.b64encode(data).decode())


def write(asked):
    """Write a file, its folders first."""
    file = failure = None
    try:
        os.makedirs(os.path.dirname(asked["path"]) or ".", exist_ok=True)
        file = open(asked["path"], "wb")
    except OSError as error:
        failure = error
    take(asked["size"], file)
    if failure is not None:
        raise failure
    file.close()
    send({})


def read(asked):
    """Read a file, unless it is over the limit."""
    with open(asked["path"], "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > asked["limit"]:
            send({"error": "limit"})
            return
        send({"size": size})
        give(file)


def run(asked):
    """Run a command to its end, or to its time's."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        take(asked["size"], given)
        given.seek(0)
        env = {**os.environ, **asked["env"]}
        late = False
        try:
            process = subprocess.Popen(
                asked["cmd"],
                stdin=given,
                stdout=out,
                stderr=err,
                cwd=asked["cwd"],
                env=env,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            code = 127
            err.write(str(error).encode())
        else:
            try:
                code = process.wait(asked["timeout"])
            except subprocess.TimeoutExpired:
                late, code = True, -signal.SIGKILL
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        sizes = [out.seek(0, 2), err.seek(0, 2)]
        if max(sizes) > asked["limit"]:
            send({"error": "limit"})
            return
        send({"code": code if code >= 0 else 128 - code, "late": late, "sizes": sizes})
        for file in (out, err):
            file.seek(0)
            give(file)


def main():
    """Answer until the host is gone."""
    while True:
        asked = receive()
        try:
            {"write": write, "read": read, "exec": run}[asked["op"]](asked)
        except OSError as error:
            send({"error": type(error).__name__, "message": str(error)})


if __name__ == "__main__":
    main()
