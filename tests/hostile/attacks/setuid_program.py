"""Runs a set-user-id program."""

import json
import os
import subprocess

W = json.loads(os.environ["HOSTILE"])
said = subprocess.run([W["setuid"]], capture_output=True, text=True).stdout
print(said)
if "euid=" in said:
    print("REACHED another user's rights")
