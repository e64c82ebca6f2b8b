"""One process touches 600 MB."""

import time

held = bytearray()
for _ in range(60):
    held += b"x" * 10_000_000
time.sleep(2)
print("REACHED 600 MB, for two seconds")
