"""Final_info.json is 100 000 brackets deep."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
with open(f"{W['run']}/final_info.json", "w") as file:
    file.write("[" * 100_000 + "]" * 100_000)
