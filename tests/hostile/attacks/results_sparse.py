"""Final_info.json is a sparse file of 1 GB."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
with open(f"{W['run']}/final_info.json", "wb") as file:
    file.truncate(1_000_000_000)
