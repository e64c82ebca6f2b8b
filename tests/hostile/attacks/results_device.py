"""Final_info.json is /dev/zero."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.symlink("/dev/zero", f"{W['run']}/final_info.json")
