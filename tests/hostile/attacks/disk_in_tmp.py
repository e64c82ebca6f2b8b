"""80 MB in TMPDIR, HOME and the checkpoint folder together."""

import os
import time

for folder in (os.environ["TMPDIR"], os.environ["HOME"], os.environ["AI_SCIENTIST_CHECKPOINT"]):
    for number in range(27):
        with open(f"{folder}/part-{number}", "wb") as file:
            file.write(b"x" * 1_000_000)
time.sleep(3)
print("REACHED 80 MB in the folders of its own, for three seconds")
