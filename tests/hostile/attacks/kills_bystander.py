"""SIGKILL to another process of the user."""

import json
import os
import signal

W = json.loads(os.environ["HOSTILE"])
os.kill(W["bystander"], signal.SIGKILL)
