"""Types into the user's terminal (TIOCSTI)."""

import fcntl
import json
import os
import termios

W = json.loads(os.environ["HOSTILE"])
terminal = os.open(W["terminal"], os.O_RDWR | os.O_NOCTTY)
for byte in W["proof"].encode() + b"\n":
    fcntl.ioctl(terminal, termios.TIOCSTI, bytes([byte]))
