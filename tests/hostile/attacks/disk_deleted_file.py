"""80 MB in a file that is open but has no name any more."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
files = []
for number in range(8):
    name = f"{W['run']}/gone-{number}"
    files.append(open(name, "wb", buffering=0))  # noqa: SIM115
    os.unlink(name)
    for _ in range(10):
        files[-1].write(b"x" * 1_000_000)
time.sleep(3)
print("REACHED 80 MB without a name, for three seconds")
