"""20 000 empty files, for three seconds."""

import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
for number in range(20_000):
    os.close(os.open(f"{W['run']}/{number}", os.O_CREAT | os.O_WRONLY))
time.sleep(3)
print("REACHED 20 000 files, for three seconds")
