"""Final_info.json is a FIFO."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.mkfifo(f"{W['run']}/final_info.json")
