"""Makes a device node in its run folder and opens it."""

import json
import os
import stat

W = json.loads(os.environ["HOSTILE"])
os.mknod(f"{W['run']}/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
os.close(os.open(f"{W['run']}/null", os.O_RDWR))
print("REACHED a device of its own")
