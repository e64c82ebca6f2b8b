"""80 MB in a folder that it closes again and again."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
folder = f"{W['run']}/closed"
os.mkdir(folder)
names = [f"{folder}/part-{number}" for number in range(80)]
files = [os.open(name, os.O_CREAT | os.O_WRONLY) for name in names]
if os.fork() == 0:
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for _ in range(1000):
            os.chmod(folder, 0)
    os._exit(0)
for file in files:
    os.write(file, b"x" * 1_000_000)
time.sleep(3)
print("REACHED 80 MB behind a door that it keeps closed, for three seconds")
