"""80 MB in a folder that nobody may look into, itself neither."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
folder = f"{W['run']}/closed"
os.mkdir(folder)
for number in range(80):
    with open(f"{folder}/part-{number}", "wb") as file:
        file.write(b"x" * 1_000_000)
    if number == 10:
        os.chmod(folder, 0o300)
os.chmod(folder, 0)
time.sleep(3)
print("REACHED 80 MB behind a closed door, for three seconds")
