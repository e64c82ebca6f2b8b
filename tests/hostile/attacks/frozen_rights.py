"""Changes mode and times of frozen files."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for name in ("harness/evaluate.py", "template.toml"):
    path = os.path.join(W["study"], name)
    with contextlib.suppress(OSError):
        os.chmod(path, 0o000)
    with contextlib.suppress(OSError):
        os.utime(path, (1, 1))
