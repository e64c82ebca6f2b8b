"""60 MB in /dev/shm."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
for number in range(60):
    with open(f"/dev/shm/hoard-{W['proof']}-{number}", "wb") as file:
        file.write(b"x" * 1_000_000)
time.sleep(3)
print("REACHED 60 MB in /dev/shm, for three seconds")
