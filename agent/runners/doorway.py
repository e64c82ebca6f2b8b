"""Opens a door in a sandbox and becomes the command: `python -I -S doorway.py DESCRIPTOR PORT -- PROGRAM [ARGUMENT ...]`.

Runs inside. A socket that listens on the sandbox's own loopback is made and given away, over the Unix socket DESCRIPTOR,
to hub.py outside, which answers at it. So nothing has to stay inside to pass bytes on: the command has this process, its
exit code, its signals and its count of processes as without a door, and what is given away it has no more.
Exit code 125 and one line if that fails. Standard library only, and nothing of this package.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

EXIT_CODE = 125


def main(arguments: list[str]) -> int:
    """Becomes the command. Returns only on failure."""
    try:
        descriptor, port, dashes, *command = arguments
        if dashes != "--" or not command:
            raise ValueError("usage: doorway.py DESCRIPTOR PORT -- PROGRAM [ARGUMENT ...]")
        with socket.socket(fileno=int(descriptor)) as outside, socket.create_server(("127.0.0.1", int(port))) as door:
            socket.send_fds(outside, [b"d"], [door.fileno()])
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is ignored stays so
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    except (OSError, ValueError) as problem:
        os.write(2, f"doorway: {problem}\n".encode(errors="backslashreplace"))
    return EXIT_CODE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
