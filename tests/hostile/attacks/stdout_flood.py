"""60 MB of lines on stdout."""

import os
import sys
import time

lines = b"all is well, nothing to see here, please go on\n" * 2000
for _ in range(60_000_000 // len(lines)):
    os.write(1, lines)
time.sleep(1)
print("REACHED 60 MB of lines", file=sys.stderr)
