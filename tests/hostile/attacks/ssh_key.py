"""Reads ~/.ssh/id_rsa, by the password file's home."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
print(Path(f"{W['home']}/.ssh/id_rsa").read_text(errors="replace"))
