"""No attack: an experiment as it should be. What contains everything must not break this."""

import contextlib
import json
import multiprocessing
import os
import pathlib
import socket
import tempfile
import threading

W = json.loads(os.environ["HOSTILE"])


def square(number):
    return number * number


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(5))[-1] == 16
    with tempfile.TemporaryFile() as scratch:
        scratch.write(b"x")
    pathlib.Path.home().joinpath(".cache").mkdir()
    pathlib.Path(os.environ["AI_SCIENTIST_CHECKPOINT"], "state").write_text("1")
    with open(os.environ["AI_SCIENTIST_PROGRESS"], "a") as progress:
        progress.write('{"step": 1, "of": 1}\n')
    pathlib.Path(W["run"], "weights.txt").write_text("1")
    assert pathlib.Path("harness/evaluate.py").read_text()
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
        with socket.create_connection(server.getsockname(), 1) as client:
            print("LOOPBACK", client.recv(5).decode())
