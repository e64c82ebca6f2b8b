"""60 MB on stderr without a line's end."""

import os
import time

for _ in range(600):
    os.write(2, b"x" * 100_000)
time.sleep(1)
print("REACHED 60 MB in one line")
