"""Reads keys of the tool's environment from its own."""

import os

print({**os.environ, "HOSTILE": ""})
