"""SIGKILL to every process (kill -1)."""

import os
import signal

os.kill(-1, signal.SIGKILL)
