"""Reads the sealed data by a link in its run folder and by /proc/self/cwd."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
way = f"{W['run']}/way"
os.symlink("../harness/heldout/labels.txt", way)
for name in (
    way,
    "/proc/self/cwd/harness/heldout/labels.txt",
    "/proc/self/root" + W["study"] + "/harness/heldout/labels.txt",
):
    with contextlib.suppress(OSError):
        print(Path(name).read_text(errors="replace"))
way = f"{W['run']}/hard"
with contextlib.suppress(OSError):
    os.link(f"{W['study']}/harness/heldout/labels.txt", way)
    print(Path(way).read_text(errors="replace"))
