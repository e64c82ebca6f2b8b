"""Replaces its run folder by a link to another run."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.rename(W["run"], W["run"] + ".aside")
os.symlink(W["other_run"], W["run"])
print("REACHED a link in place of the run folder")
