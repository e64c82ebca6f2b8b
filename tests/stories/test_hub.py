"""A study whose profile says network = "hub": where its experiments get to, what is written down, and what is said."""

import json
import os

import pytest

from agent.runners import tiers
from tests.stories import world
from tests.stories.test_kill import ONE_RUN, begin, recording, study
from tests.stories.test_prefetch import toy

LOOK = """
    import json, os, socket
    told = {"offline": os.environ.get("HF_HUB_OFFLINE"), "proxy": os.environ.get("HTTPS_PROXY")}
    for place in ("evil.org:443", "localhost:22", "huggingface.co:443"):
        if told["proxy"]:
            with socket.create_connection(("127.0.0.1", int(told["proxy"].rsplit(":")[-1])), 5) as client:
                client.sendall(f"CONNECT {place} HTTP/1.1\\r\\n\\r\\n".encode())
                told[place] = client.recv(100).split()[1].decode()
    json.dump(told, open(os.path.join(out_dir, "told.json"), "w"))
    fits = {}"""


def play(tmp_path, tier):
    found = tiers.probe(tier) if tier != "none" else None
    if found and not found.works and not os.environ.get("CI"):
        pytest.skip(found.said)
    template = toy(tmp_path, profile='network = "hub"', experiment=LOOK)
    process = begin(tmp_path, recording(tmp_path / "s.jsonl", ONE_RUN), template, more=["--sandbox", tier])
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said, json.loads((study(tmp_path) / "run_1/told.json").read_text())


def test_experiments_get_to_the_hub_and_nowhere_else_and_each_request_is_written_down(tmp_path):
    said, told = play(tmp_path, "bwrap")
    assert f"sandbox: {tiers.HUB_LINES['bwrap']}" in said
    assert (told["offline"], told["evil.org:443"], told["localhost:22"]) == (None, "403", "403")
    assert told["huggingface.co:443"] in ("200", "502")  # 502: this machine reaches no hub
    log = study(tmp_path) / ".study/attempts/run_1-try-1/network.log"
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["asked"].split()[1] for line in asked[:3]] == ["evil.org:443", "localhost:22", "huggingface.co:443"]
    assert [line["answer"].startswith("refused: ") for line in asked[:2]] == [True, True]
    ended = [x for x in world.events_of(study(tmp_path)) if x.type == "run.ended"]
    assert all(x.outcome["sandbox"].startswith(tiers.HUB_LINES["bwrap"]) for x in ended)


def test_without_a_sandbox_there_is_the_machines_own_network_and_no_proxy(tmp_path):
    said, told = play(tmp_path, "none")
    assert told == {"offline": None, "proxy": None}
    assert tiers.LINES["none"] in said
