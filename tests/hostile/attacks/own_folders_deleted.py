"""Deletes its run folder's content, its HOME and TMPDIR, and the attempt folder."""

import json
import os
import shutil

W = json.loads(os.environ["HOSTILE"])
for folder in (W["run"], os.environ["HOME"], os.environ["TMPDIR"], W["attempt"]):
    shutil.rmtree(folder, ignore_errors=True)
