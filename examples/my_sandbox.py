"""Untrusted code, run where it can do no harm: python my_sandbox.py."""

from mx_sandboxes import Limits, open_sandbox

UNTRUSTED = {
    "an honest program": "print(sum(range(10)))",
    "a loop without end": "while True: pass",
    "all of the memory": "x = bytearray(1 << 40)",
    "a look at your home": "import os; print(os.listdir(os.path.expanduser('~root')))",
    "a call home": "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)",
    "a change of the system": "open('/usr/bin/python', 'w')",
}

with open_sandbox() as sandbox:  # Docker where it works, else bubblewrap; never without either
    for what, code in UNTRUSTED.items():
        done = sandbox.run(["python", "-c", code], limits=Limits(wall_s=1))
        said = (done.stdout or done.stderr).decode().strip().splitlines()
        print(f"{what}: {done.reason.value}, {said[-1] if said else 'no word'}")
