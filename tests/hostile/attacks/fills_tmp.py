"""300 MB in /tmp."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
for number in range(300):
    with open(f"/tmp/hoard-{W['proof']}-{number}", "wb") as file:
        file.write(b"x" * 1_000_000)
time.sleep(2)
print("REACHED 300 MB in /tmp, for two seconds")
