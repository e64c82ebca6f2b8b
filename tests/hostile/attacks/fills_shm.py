"""300 MB in /dev/shm."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
for number in range(300):
    with open(f"/dev/shm/hoard-{W['proof']}-{number}", "wb") as file:
        file.write(b"x" * 1_000_000)
time.sleep(2)
print("REACHED 300 MB in /dev/shm, for two seconds")
