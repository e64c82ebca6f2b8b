"""A model for `cmd:`: answers from a table, writes down each call, and waits before the replies that it is told to hold.

    python table_model.py FOLDER

FOLDER holds replies.json (action → run → reply), calls.txt (what was asked and answered, with the call's name), and
hold-ACTION-RUN for each reply that is not to come while that file is there. What it is asked it reads in the study below
FOLDER, where the prompt stands before the call goes out.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    place, parent = Path(sys.argv[1]), os.getppid()
    asked = sys.stdin.read()
    paths = place.glob("results/2*/.study/llm/*.prompt.json")
    path = next(
        path for path in sorted(paths, reverse=True) if not Path(f"{path}"[: -len(".prompt.json")] + ".json").exists()
    )
    prompt = json.loads(path.read_text())
    assert asked.rstrip().endswith(prompt["request"].rstrip())
    call = f"{prompt['call']} {prompt['action']} {prompt['run']}"
    note(place, f"asked {call}")
    while (place / f"hold-{prompt['action']}-{prompt['run']}").exists():
        time.sleep(0.01)
        if os.getppid() != parent:  # who asked was killed
            return
    replies = json.loads((place / "replies.json").read_text())
    sys.stdout.write(replies.get(prompt["action"], replies["draft"])[prompt["run"]])
    sys.stdout.flush()
    note(place, f"answered {call}")


def note(place: Path, line: str) -> None:
    with (place / "calls.txt").open("a") as calls:
        calls.write(line + "\n")


main()
