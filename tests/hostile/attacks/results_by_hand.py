"""Writes splendid final_info.json, then the evaluation fails."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
with open(f"{W['run']}/final_info.json", "w") as file:
    json.dump({"core": {"means": {"kl_nats": 424242.0}}}, file)
