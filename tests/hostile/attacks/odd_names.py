"""File names with line ends and invalid UTF-8 in the run folder."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.chdir(os.fsencode(W["run"]))
for name in (b"two\nlines", b"\xff\xfe not UTF-8", b"\x1b[2J", b"-rf", b"a" * 255, b"%s$(touch x)`touch y`"):
    with open(name, "w") as file:
        file.write("x")
with open("final_info.json", "w") as file:
    json.dump({"core": {"means": {"kl_nats": 1.0}}}, file)
