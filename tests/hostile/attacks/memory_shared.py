"""600 MB in files that exist only in memory (memfd)."""

import os
import time

files = []
for number in range(60):
    file = os.memfd_create(f"hoard-{number}")
    os.write(file, b"x" * 10_000_000)
    files.append(file)
time.sleep(2)
print("REACHED 600 MB that belong to no process, for two seconds")
