"""Sets another process's limits with prlimit."""

import json
import os
import resource

W = json.loads(os.environ["HOSTILE"])
resource.prlimit(W["bystander"], resource.RLIMIT_NOFILE, (64, 64))
