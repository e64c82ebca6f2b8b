"""What runs in the experiment's interpreter to say what there is and how it is called; Python 3.6 is enough for it.

It is sent as text (`-c`), for the interpreter may stand in a container, or may not see this program's files. Here the
modules are ordinary ones; there `PROGRAM` makes them from their texts, in this order, and calls `main`.

In: JSON on stdin, {"names": [[paths of a library], …], "pools": …, "open": …} (core/open_names.py). Out: a line of JSON
behind MARK for each library, path → {"is": "missing" | "there" | "unknown", …} as core/known.py reads it. Whatever goes
wrong with a name makes it unknown.
"""

from __future__ import annotations

import json
from pathlib import Path

MODULES = ("objects", "instances", "results", "sources", "calls", "main")  # each imports only earlier ones
_LOADER = """
import json, sys, types
for name, text in json.loads(TEXTS):
    name = "agent.runners.asking." + name
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""


def program() -> str:
    texts = [(name, (Path(__file__).with_name(f"{name}.py")).read_text("utf-8")) for name in MODULES]
    return f"TEXTS = {json.dumps(texts)!r}{_LOADER}"
