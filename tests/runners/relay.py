"""A job that forks while it is being killed: chains of processes, each of which starts the next one and ends.

Every link lives about a millisecond, in a session of its own, so that no list of processes is ever up to date; SIGTERM
starts one more chain (up to a few, so that the machine survives a test that fails). Stops by itself after 30 s.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def run(deadline: float) -> None:
    more = 2

    def on_term(*_: object) -> None:
        nonlocal more
        more -= 1
        if more >= 0:
            os.fork()

    signal.signal(signal.SIGTERM, on_term)
    while time.time() < deadline:
        if os.fork():
            os._exit(0)
        os.setsid()
        time.sleep(0.001)


if __name__ == "__main__":
    for _ in range(3):
        if os.fork() == 0:
            run(time.time() + 30)
    Path(sys.argv[1], "parent").write_text("ready")
    time.sleep(30)
