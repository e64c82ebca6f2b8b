"""One file of 80 MB."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
with open(f"{W['run']}/big", "wb", buffering=0) as file:
    for _ in range(80):
        file.write(b"x" * 1_000_000)
    time.sleep(3)
print("REACHED 80 MB on disk, for three seconds")
