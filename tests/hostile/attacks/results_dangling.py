"""Final_info.json is a symlink to nothing."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.symlink("nowhere", f"{W['run']}/final_info.json")
