"""Slows another process: priority, one core, first to be killed for memory."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])

for change in (
    lambda: os.setpriority(os.PRIO_PROCESS, W["bystander"], 19),
    lambda: os.sched_setaffinity(W["bystander"], {min(os.sched_getaffinity(0))}),
    lambda: Path(f"/proc/{W['bystander']}/oom_score_adj").write_text("999"),
):
    with contextlib.suppress(OSError):
        change()
