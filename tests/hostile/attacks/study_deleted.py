"""Deletes the whole study."""

import json
import os
import shutil

W = json.loads(os.environ["HOSTILE"])
shutil.rmtree(W["study"], ignore_errors=True)
