"""What a job left is cleaned of keys before anybody reads it, and nothing beside it is touched."""

import os
import subprocess
import sys

import pytest

from agent.store import sweep as module
from agent.store.sweep import sweep

KEY = "planted-key-0123456789"
KEYS = {"SOME_API_KEY": KEY}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run_1").mkdir()
    return tmp_path / "run_1"


def test_contents_names_and_targets_of_links_are_cleaned(run):
    (run / KEY / "deeper").mkdir(parents=True)
    (run / KEY / "deeper" / f"{KEY}.txt").write_bytes(b"\xff\x00" + KEY.encode() + b"\x00" + KEY[:-1].encode())
    (run / "link").symlink_to(f"../{KEY}")
    (run / "honest").write_bytes(b"x" * 100)
    (run / "script").write_text(f"#!/bin/sh\necho {KEY}\n")
    (run / "script").chmod(0o755)
    assert sweep(run, KEYS) == ["[key]", "[key]/deeper/[key].txt", "link", "script"]
    assert (run / "[key]/deeper/[key].txt").read_bytes() == b"\xff\x00[key]\x00" + KEY[:-1].encode()
    assert not os.path.lexists(run / "link") and (run / "honest").read_bytes() == b"x" * 100
    assert os.access(run / "script", os.X_OK)
    assert sorted(p.name for p in run.iterdir()) == ["[key]", "honest", "script"]
    assert sweep(run, KEYS) == []


def test_two_names_that_become_one_are_both_kept(run):
    for name, text in ((KEY, "one"), (KEY + KEY, "two"), ("[key]", "three")):
        (run / name).write_text(text)
    (run / "other").mkdir()
    assert len(sweep(run, {**KEYS, "LONG_KEY": KEY + KEY})) == 2
    assert sorted(p.read_text() for p in run.iterdir() if p.is_file()) == ["one", "three", "two"]


def test_a_key_between_two_pieces_is_found(run, monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 16)
    for shift in range(33):
        (run / f"{shift}").write_bytes(b"x" * shift + KEY.encode() + b"y" * 9)
    assert len(sweep(run, KEYS)) == 33
    assert {p.read_bytes().replace(b"x", b"") for p in run.iterdir()} == {b"[key]" + b"y" * 9}


def test_what_lies_outside_is_never_touched_by_a_link_of_either_kind(run, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text(KEY)
    os.link(outside, run / "hard")
    (run / "soft").symlink_to(outside)
    (run / "folder").symlink_to(tmp_path)
    assert sweep(run, KEYS) == ["hard"]
    assert outside.read_text() == KEY and (run / "hard").read_text() == "[key]"
    (tmp_path / "run_2").symlink_to(tmp_path)
    assert sweep(tmp_path / "run_2", KEYS) == [] and outside.read_text() == KEY


def test_pipes_sockets_and_depth_are_no_trouble(run):
    os.mkfifo(run / "pipe")
    code = "import os, sys; os.chdir(sys.argv[1])\nfor _ in range(600): os.mkdir('d' * 20); os.chdir('d' * 20)\n"
    subprocess.run([sys.executable, "-c", code, str(run)], check=True)
    (run / "file").write_text(KEY)
    try:
        assert sweep(run, KEYS) == ["file"]
    finally:
        subprocess.run(["rm", "-rf", str(run / ("d" * 20))], check=True)


def test_what_the_job_closed_to_its_own_user_is_opened(run):
    """Tried as an ordinary user, for whom it is closed."""
    for folder in (run, *run.parents[:3]):
        folder.chmod(0o755)
    run.chmod(0o777)
    code = (
        "import os, sys; from pathlib import Path\n"
        f"run = Path({str(run)!r}); KEY = {KEY!r}\n"
        "(run / 'closed').mkdir(); (run / 'closed/file').write_text(KEY); (run / 'closed/file').chmod(0)\n"
        "(run / 'closed').chmod(0)\n"
        "from agent.store.sweep import sweep\n"
        "print(sweep(run, {'SOME_API_KEY': KEY}), (run / 'closed/file').read_bytes() if os.getuid() == 0 else '')\n"
    )
    argv = [sys.executable, "-c", code]
    if os.getuid() == 0:  # but for the right to read its own Python
        rights = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
        argv = ["setpriv", "--reuid=54321", "--clear-groups", *rights, *argv]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=os.getcwd())
    assert done.stdout.startswith("['closed/file']"), done
    assert (run / "closed/file").read_text() == "[key]"


def test_where_there_is_no_key_nothing_is_read(run):
    (run / "file").write_text(KEY)
    (run / "file").chmod(0)
    assert sweep(run, {"PATH": "/bin", "SORT_KEY": "created_at"}) == []
    assert (run / "file").stat().st_mode & 0o777 == 0
