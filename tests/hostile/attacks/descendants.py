"""Ends with children left: a new session, forked twice, SIGTERM ignored."""

import os
import signal
import time


def child(*sessions):
    if os.fork():
        return
    for _ in sessions:
        os.setsid()
        if os.fork():
            os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.05)
    os._exit(0)


child()
child(1)
child(1, 2)
time.sleep(0.1)
