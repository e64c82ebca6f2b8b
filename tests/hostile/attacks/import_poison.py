"""Json.py and harness/__pycache__ in the study, for the evaluation to import."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
text = f"""
import os
with open({W["run"] + "/final_info.json"!r}, "w") as file:
    file.write('{{"core": {{"means": {{"kl_nats": 424242.0}}}}}}')
os._exit(0)
"""
with contextlib.suppress(OSError):
    os.makedirs(os.path.join(W["study"], "harness/__pycache__"), exist_ok=True)
    with open(os.path.join(W["study"], "harness/__pycache__/evaluate.cpython-311.pyc"), "w") as file:
        file.write("hostile")
for name in ("json.py", "argparse.py", "sitecustomize.py", "harness/json.py"):
    with contextlib.suppress(OSError), open(os.path.join(W["study"], name), "w") as file:
        file.write(text)
