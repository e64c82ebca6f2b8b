"""Final_info.json is a symlink to splendid results elsewhere."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.symlink(W["splendid"], f"{W['run']}/final_info.json")
