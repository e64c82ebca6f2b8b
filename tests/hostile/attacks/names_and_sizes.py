"""Asks for the size of ~/.ssh/id_rsa with stat()."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
print("REACHED size", os.stat(f"{W['home']}/.ssh/id_rsa").st_size)
