"""Raises its own limits of open files and file size again."""

import contextlib
import resource

for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(limit)[1]
        more = 50_000 if hard != 50_000 else 60_000
        if hard != resource.RLIM_INFINITY and hard < more:
            resource.setrlimit(limit, (more, more))
            print("REACHED a higher hard limit")
