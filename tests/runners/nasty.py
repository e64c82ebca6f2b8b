"""A job that does not want to die: it and three descendants ignore SIGTERM and write the time into files for ever.

nasty.py FOLDER       beats in FOLDER/parent, child (same group), session (setsid), daemon (forked twice)
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

NAMES = ("parent", "child", "session", "daemon")


def beat(name: str) -> None:
    temporary, file = Path(sys.argv[1], f".{name}"), Path(sys.argv[1], name)
    while True:
        temporary.write_text(repr(time.time()))
        temporary.replace(file)
        time.sleep(0.02)


def in_child(work: object, new_session: bool = False) -> None:
    if os.fork() == 0:
        if new_session:
            os.setsid()
        assert callable(work)
        work()
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    in_child(lambda: beat("child"))
    in_child(lambda: beat("session"), new_session=True)
    in_child(lambda: in_child(lambda: beat("daemon")), new_session=True)
    beat("parent")
