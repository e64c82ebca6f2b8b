"""Final_info.json is a folder."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.makedirs(f"{W['run']}/final_info.json/final_info.json")
