"""Reads the sealed data out of the study's git objects."""

import contextlib
import json
import os
import pathlib
import zlib

W = json.loads(os.environ["HOSTILE"])
for file in pathlib.Path(W["study"], ".git/objects").glob("??/*"):
    with contextlib.suppress(OSError):
        print(zlib.decompress(file.read_bytes()))
