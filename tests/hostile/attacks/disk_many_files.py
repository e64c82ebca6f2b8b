"""80 MB in small files."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
for number in range(1600):
    with open(f"{W['run']}/small-{number}", "wb") as file:
        file.write(b"x" * 50_000)
time.sleep(3)
print("REACHED 80 MB in small files, for three seconds")
