"""20 000 empty files."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
for number in range(20_000):
    os.close(os.open(f"{W['run']}/{number}", os.O_CREAT | os.O_WRONLY))
print("REACHED 20 000 files")
