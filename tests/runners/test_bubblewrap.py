"""bubblewrap for real: what training needs works in it, and its command line puts parents before what lies in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agent.core.job import Command, Job, Limits, Outcome, Reach
from agent.runners import folder, tiers
from agent.runners.bubblewrap import by_depth
from agent.runners.inspect import fingerprint
from agent.runners.local import LocalRunner
from tests.runners.attempts import ended

DISTRIBUTED = """
import os, torch, torch.distributed as dist, torch.multiprocessing as mp
from torch.utils.data import DataLoader

def work(rank):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29501"}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    total = torch.tensor([float(rank + 1)])
    dist.all_reduce(total)
    assert total.item() == 3.0
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(work, nprocs=2)
    batches = list(DataLoader(list(range(100)), batch_size=10, num_workers=2))
    assert sum(int(batch.sum()) for batch in batches) == 4950
    open("out/done", "w").write("trained")
"""


@pytest.fixture(autouse=True)
def works():
    found = tiers.probe("bwrap")
    if not found.works:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(found.said)


def run(tmp_path: Path, *argv: str, seconds: float = 60.0, **limits) -> Outcome:
    work = tmp_path / "work"
    (work / "out").mkdir(parents=True, exist_ok=True)
    reach = Reach((str(work / "out"),), (str(work), *fingerprint((sys.executable,)).folders), (str(work / ".study"),))
    attempt = work / ".study" / "attempts" / f"run_1-try-{len(list(tmp_path.rglob('job.json'))) + 1}"
    job = Job(
        (Command("experiment", argv, reach=reach),),
        str(work),
        seconds=seconds,
        sandbox="bwrap",
        limits=Limits(**limits),
    )
    folder.write_job(attempt, job)
    LocalRunner().start(attempt)
    return ended(attempt, seconds + 20)


@pytest.mark.slow
def test_torch_trains_with_loader_workers_and_with_processes_that_talk_over_the_private_loopback(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/train.py").write_text(DISTRIBUTED)
    out = run(tmp_path, sys.executable, "train.py", processes=16)
    log = next(tmp_path.rglob("stderr.log")).read_text()
    assert out.ok, (out, log[-2000:])
    assert (tmp_path / "work/out/done").read_text() == "trained"


@pytest.mark.parametrize(
    ("code", "exit_code", "number"), [("exit 7", 7, None), ("kill -SEGV $$", None, 11), ("kill -9 $$", None, 9)]
)
def test_how_a_command_ends_is_told_through_the_sandbox(tmp_path, code, exit_code, number):
    out = run(tmp_path, "/bin/sh", "-c", code)
    assert (out.ending, out.exit_code, out.signal) == ("finished", exit_code, number)


def test_a_command_that_listens_to_sigterm_has_its_grace(tmp_path):
    code = "trap 'echo saved > out/saved; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    out = run(tmp_path, "/bin/sh", "-c", code, seconds=1.0)
    assert out.ending == "timeout"
    assert (tmp_path / "work/out/saved").read_text() == "saved\n"


def test_a_program_that_is_not_there_is_no_fault_of_the_sandbox(tmp_path):
    out = run(tmp_path, "/nowhere/program")
    assert out.ending == "finished" and out.exit_code
    assert "/nowhere/program" in next(tmp_path.rglob("stderr.log")).read_text()


def test_odd_names_of_folders_are_no_hindrance(tmp_path):
    odd = tmp_path / "two words\nand a line, ünïcode"
    odd.mkdir()
    out = run(odd, "/bin/sh", "-c", "echo x > out/x && cat out/x")
    assert out.ok, out


def test_parents_are_mounted_before_what_lies_in_them():
    assert by_depth(["/a/b/c", "/z", "/a", "/a/b", "/a"]) == ["/a", "/z", "/a/b", "/a/b/c"]
