"""Crashes with 50 MB in memory, to leave a core file."""

import json
import os
import resource

W = json.loads(os.environ["HOSTILE"])
os.chdir(W["run"])
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
child = os.fork()
if child == 0:
    held = b"x" * 50_000_000
    os.abort()
if os.WCOREDUMP(os.waitpid(child, 0)[1]):
    print("REACHED a core file", [name for name in os.listdir() if "core" in name])
