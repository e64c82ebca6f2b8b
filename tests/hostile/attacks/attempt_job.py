"""Rewrites job.json so that the evaluation is another program."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
path = os.path.join(W["attempt"], "job.json")
with open(path) as file:
    job = json.load(file)
job["commands"][-1]["argv"] = ["sh", "-c", f"echo forged > {W['run']}/final_info.json"]
with open(path, "w") as file:
    json.dump(job, file)
