"""A control group for a job: where one may be made, what is written into it, and a real one where this machine has it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.job import Limits
from agent.runners import cgroup, tiers
from agent.runners.cgroup import Leaf, find, make, settings
from tests.runners.attempts import python, run, shell

MB = 1024 * 1024


def hierarchy(root: Path, **handed_down: str) -> Path:
    """Groups like systemd's; the value is what a group hands down to its children. `__` stands for a slash."""
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    for name, controllers in {"": "", **handed_down}.items():
        group = root / name.replace("__", "/")
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").touch()
        (group / "cgroup.subtree_control").write_text(controllers)
    return root


def test_a_leaf_goes_below_the_nearest_group_that_hands_memory_and_pids_down(tmp_path: Path) -> None:
    root = hierarchy(
        tmp_path, user="memory pids", user__me="cpu memory pids", user__me__app="memory pids", user__me__app__it=""
    )
    assert find(root, "/user/me/app/it") == root / "user/me/app"
    (root / "user/me/app/cgroup.subtree_control").write_text("cpu")
    assert find(root, "/user/me/app/it") == root / "user/me"


def test_where_none_may_be_made_it_is_said_why(tmp_path: Path) -> None:
    assert "no control groups of version 2" in str(find(tmp_path, "/"))
    root = hierarchy(tmp_path, user="cpu", user__it="")
    assert find(root, "/user/it") == "no group above this process hands memory and pids down"
    assert find(root, "/../elsewhere") == "no group above this process hands memory and pids down"


def test_a_group_that_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    root = hierarchy(tmp_path, user="memory pids", user__it="")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    code = (
        f"from pathlib import Path; from agent.runners.cgroup import find; print(find(Path({str(root)!r}), '/user/it'))"
    )
    if os.getuid() == 0:
        rights = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
        argv = ["setpriv", "--reuid=54321", "--clear-groups", *rights, sys.executable, "-c", code]
    else:
        (root / "user").chmod(0o555)
        argv = [sys.executable, "-c", code]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert said.strip().endswith("is not ours to write to")


def test_the_kernels_limits_are_a_little_above_the_jobs(tmp_path: Path) -> None:
    assert settings(Limits(memory=1000 * MB, processes=9)) == {
        "memory.max": str(1100 * MB + 32 * MB),
        "memory.swap.max": "0",
        "pids.max": "1024",
    }
    assert settings(Limits()) == {}


def test_a_refusal_of_the_kernel_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """Here the kernel's files are missing, because it is an ordinary folder."""
    root = hierarchy(tmp_path, user="memory pids")
    said = make(Limits(memory=100 * MB), root, "/user")
    assert said == f"{root}/user refuses one (No such file or directory)"
    assert sorted(path.name for path in (root / "user").iterdir()) == ["cgroup.procs", "cgroup.subtree_control"]


def test_kills_for_memory_are_read_from_its_events(tmp_path: Path) -> None:
    assert Leaf(tmp_path).kills_for_memory() == 0
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n")
    assert Leaf(tmp_path).kills_for_memory() == 1


# ---- this machine's own


def test_what_the_line_says_is_what_was_found_out(tmp_path: Path) -> None:
    made = make(Limits())
    if isinstance(made, Leaf):
        made.close()
        assert not made.path.exists()
    held = isinstance(made, Leaf)
    tier = tiers.choose("none")
    assert isinstance(tier, tiers.Tier) and tier.said == f"{tiers.LINES['none']}; {tiers.HELD[held]}"
    outcome = run(tmp_path, shell("cat /proc/self/cgroup"))
    assert outcome.sandbox == tier.said
    assert (cgroup.NAME in (tmp_path / "attempt/stdout.log").read_text()) == held


@pytest.mark.slow
def test_a_leap_over_the_limit_ends_in_the_same_sentence_with_and_without_a_group(tmp_path: Path) -> None:
    """Faster than the watch looks: with a group the kernel is there first."""
    outcome = run(
        tmp_path, python("import time; x = b'x' * (800 * 2**20); time.sleep(20)"), limits=Limits(memory=200 * MB)
    )
    assert outcome.ending == "limit" and "200 MB" in outcome.detail
    began = time.monotonic()
    held = make(Limits())
    if isinstance(held, Leaf):
        held.close()
        parent = held.path.parent
        while list(parent.glob(f"{cgroup.NAME}*")) and time.monotonic() < began + 5:
            time.sleep(0.05)
        assert list(parent.glob(f"{cgroup.NAME}*")) == []
