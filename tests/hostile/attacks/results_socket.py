"""Final_info.json is a socket."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
os.chdir(W["run"])
server = socket.socket(socket.AF_UNIX)
server.bind("final_info.json")
