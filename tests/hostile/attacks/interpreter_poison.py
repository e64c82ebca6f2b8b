"""Sitecustomize.py and a .pth file into the interpreter's folders."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for folder in W["interpreter"]:
    for name in ("sitecustomize.py", "hostile.pth", "__pycache__/hostile.pyc"):
        with contextlib.suppress(OSError), open(os.path.join(folder, name), "a") as file:
            file.write("import os\n")
