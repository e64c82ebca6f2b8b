"""Nice -20 and real-time scheduling."""

import contextlib
import os

with contextlib.suppress(OSError):
    os.nice(-20)
    print("REACHED a higher priority")
with contextlib.suppress(OSError):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print("REACHED real-time scheduling")
