"""Writes to the user's terminal."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
terminal = os.open(W["terminal"], os.O_WRONLY | os.O_NOCTTY)
os.write(terminal, b"\033]0;" + W["proof"].encode() + b"\007")
