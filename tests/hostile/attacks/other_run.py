"""Changes another run's results."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
with contextlib.suppress(OSError), open(f"{W['other_run']}/final_info.json", "w") as file:
    json.dump({"core": {"means": {"kl_nats": 9.0}}}, file)
with contextlib.suppress(OSError):
    os.mkdir(os.path.join(W["study"], "run_2"))
