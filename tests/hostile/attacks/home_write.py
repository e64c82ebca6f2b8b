"""Writes .bashrc, a systemd user unit and authorized_keys in the home folder."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for name in (".bashrc", ".config/systemd/user/hostile.service", ".ssh/authorized_keys"):
    with contextlib.suppress(OSError):
        path = os.path.join(W["home"], name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a") as file:
            file.write("touch /tmp/hostile\n")
