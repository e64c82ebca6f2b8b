"""Changes another study and its journal."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for name in (".study/journal.jsonl", "notes.txt"):
    with contextlib.suppress(OSError), open(os.path.join(W["other_study"], name), "a") as file:
        file.write("mine\n")
