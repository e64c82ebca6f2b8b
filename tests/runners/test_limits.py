"""A job that exceeds a limit is dead within a second and told why; one that does not is never touched."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.job import Command, Job, Limits, Outcome, Reach
from agent.runners import limits, tiers
from agent.runners.launcher import Launcher
from agent.runners.local import LocalRunner
from agent.runners.reaper import Report
from tests.runners.attempts import (
    HERE,
    attempt_of,
    ended,
    launcher_of,
    python,
    run,
    shell,
    survivors,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

MB = 1024 * 1024
NOBODY = 54321  # a user that this machine does not have
KEEP = "\nimport time\nopen('when', 'w').write(repr(time.time()))\ntime.sleep(%s)\n"


def limited(tmp_path: Path, command: Command, **allowed: int | None) -> Outcome:
    """How a job ends that may write its working directory."""
    reach = Reach(writable=(str(tmp_path / "work"),))
    outcome = run(tmp_path, dataclasses.replace(command, reach=reach), limits=Limits(**allowed))  # type: ignore[arg-type]
    assert survivors(tmp_path / "attempt") == []
    return outcome


def code(text: str, stay: float = 20.0) -> Command:
    """A program that says when it has done its worst, and then stays."""
    return python("import os\n" + text + KEEP % stay)


def late(tmp_path: Path, what: str) -> None:
    """Print how long after its worst the job was dead and recorded; a loaded machine may take longer than a second."""
    recorded = (tmp_path / "attempt" / "status.json").stat().st_mtime
    when = tmp_path / "work" / "when"
    if when.exists() and when.read_text():
        seconds = recorded - float(when.read_text())
        print(f"{what}: dead {seconds:.2f} s after it")
        assert seconds < 5.0


def judge(outcome: Outcome, ending: str, *words: str) -> None:
    assert outcome.ending == ending, outcome
    for word in words:
        assert word in outcome.detail


# ---- memory


def test_a_hog_is_killed_and_told_what_it_used_and_may_use(tmp_path: Path) -> None:
    outcome = limited(tmp_path, code("x = b'x' * (250 * 2**20)"), memory=200 * MB)
    judge(outcome, "limit", "'experiment' used 2", "MB of memory in 1 process; 200 MB are allowed; it was killed.")
    assert outcome.usage["memory"] > 200 * MB
    late(tmp_path, "one hog")


def test_eight_processes_that_exceed_together_are_killed(tmp_path: Path) -> None:
    fork = "for _ in range(7):\n    if os.fork() == 0: break\n"
    outcome = limited(tmp_path, code(fork + "x = b'x' * (30 * 2**20)"), memory=200 * MB)
    judge(outcome, "limit", "in 8 processes; 200 MB are allowed")
    late(tmp_path, "eight hogs")


def test_a_job_at_nine_tenths_of_its_memory_is_left_alone(tmp_path: Path) -> None:
    outcome = limited(tmp_path, code("x = b'x' * (175 * 2**20)", 1.0), memory=200 * MB)
    assert outcome.ok
    assert 175 * MB < outcome.usage["memory"] < 195 * MB


def test_shared_memory_and_forks_do_not_make_a_false_alarm(tmp_path: Path) -> None:
    shared = "import mmap\ny = mmap.mmap(-1, 50 * 2**20)\ny[:] = b'y' * len(y)\nx = bytearray(b'x' * 60 * 2**20)\n"
    fork = "for _ in range(5):\n    if os.fork() == 0:\n        for i in range(0, len(y), 4096): y[i], x[i % 99] = 1, 1\n        break\n"
    outcome = limited(tmp_path, code(shared + fork, 1.5), memory=200 * MB)
    assert outcome.ok, outcome
    assert 110 * MB < outcome.usage["memory"] < 190 * MB
    assert outcome.usage["processes"] == 6


def test_a_large_process_that_starts_many_small_ones_is_no_hog(tmp_path: Path) -> None:
    many = "import subprocess, time\nx = b'x' * (150 * 2**20)\nend = time.time() + 2\nwhile time.time() < end: subprocess.run(['true'])\n"
    assert limited(tmp_path, code(many, 0.0), memory=200 * MB).ok


def test_a_file_in_memory_that_is_not_mapped_counts(tmp_path: Path) -> None:
    fill = "one = os.memfd_create('one')\nfor _ in range(150): os.write(one, b'x' * 2**20)\n"
    judge(limited(tmp_path, code(fill), memory=100 * MB), "limit", "of memory in 1 process; 100 MB are allowed")
    late(tmp_path, "memfd")


# ---- processes


def test_too_many_processes_are_killed(tmp_path: Path) -> None:
    outcome = limited(tmp_path, shell("for i in $(seq 40); do sleep 20 & done; wait"), processes=20)
    judge(outcome, "limit", "'experiment' had more than 20 processes at once; 20 are allowed; it was killed.")
    assert outcome.usage["processes"] == 21


def test_as_many_processes_as_allowed_are_left_alone(tmp_path: Path) -> None:
    outcome = limited(tmp_path, shell("for i in $(seq 19); do sleep 1 & done; wait"), processes=20)
    assert outcome.ok and outcome.usage["processes"] == 20


def test_too_many_threads_are_killed(tmp_path: Path) -> None:
    threads = "import threading, time\nthreading.stack_size(65536)\n"
    threads += "[threading.Thread(target=time.sleep, args=(20,)).start() for _ in range(300)]"
    judge(limited(tmp_path, code(threads), processes=1), "limit", "threads at once; 256 are allowed; it was killed.")


@pytest.mark.parametrize("kind", ["same", "sessions", "chain"])
def test_of_a_fork_bomb_nothing_survives(tmp_path: Path, kind: str) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):  # pytest makes them for one user only
        folder.chmod(0o755)
    tmp_path.chmod(0o777)
    root = HERE.parents[1]
    inside = ["env", f"PYTHONPATH={root}", sys.executable, "-m", "tests.runners.bombs", str(tmp_path), kind]
    if os.getuid() == 0:  # the safety net holds no root; but only root may read its own Python
        reads = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
        inside = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *reads, "--", *inside]
    user = [] if os.getuid() == 0 else ["--user"]
    unshare = ["unshare", *user, "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("no pid namespaces here")
    done = subprocess.run([*unshare, *inside], capture_output=True, text=True, timeout=90, cwd="/")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    outcome = Outcome.from_json(told["outcome"])
    judge(outcome, "limit", "had more than 30 processes at once; 30 are allowed")
    print(f"fork bomb ({kind}): {outcome.seconds:.2f} s from start to death")
    assert told["left"] == []
    assert outcome.seconds < 20


# ---- disk


def disk_filler(tmp_path: Path, text: str, **allowed: int | None) -> Outcome:
    return limited(tmp_path, code(text), **{"disk": 30 * MB, **allowed})


def test_one_large_file_is_too_much(tmp_path: Path) -> None:
    """The kernel refuses the file itself; with room for memory, which files can be, too, the walk finds it."""
    outcome = disk_filler(tmp_path, "open('file', 'wb').write(b'x' * (50 * 2**20))", memory=200 * MB)
    judge(outcome, "limit", "'experiment' filled ", "MB of disk; 30 MB are allowed; it was killed.")
    assert 30 * MB < outcome.usage["disk"] < 51 * MB
    late(tmp_path, "large file")


def test_ten_thousand_small_files_are_too_much(tmp_path: Path) -> None:
    many = "for i in range(10_000): open(f'file{i}', 'wb').write(b'x')\n"
    judge(disk_filler(tmp_path, many), "limit", "MB of disk; 30 MB are allowed")


@pytest.mark.parametrize("name", ["home", "tmp", "checkpoint"])
def test_the_jobs_own_folders_count(tmp_path: Path, name: str) -> None:
    fill = (
        f"os.makedirs('../attempt/{name}', exist_ok=True)\n"
        f"for i in range(50): open(f'../attempt/{name}/{{i}}', 'wb').write(b'x' * 2**20)\n"
    )
    judge(disk_filler(tmp_path, fill), "limit", "MB of disk; 30 MB are allowed")


def test_a_deleted_file_that_is_kept_open_counts(tmp_path: Path) -> None:
    hide = "import tempfile\nx = [tempfile.TemporaryFile() for _ in range(50)]\nfor f in x: f.write(b'x' * 2**20); f.flush()\n"
    judge(disk_filler(tmp_path, hide), "limit", "MB of disk; 30 MB are allowed")


def test_a_sparse_file_a_link_and_a_file_at_the_limit_are_no_excess(tmp_path: Path) -> None:
    text = "open('sparse', 'wb').truncate(90 * 2**20)\nopen('file', 'wb').write(b'x' * (27 * 2**20))\nos.symlink('/', 'link')\n"
    outcome = limited(tmp_path, code(text, 1.5), disk=30 * MB, memory=100 * MB)
    assert outcome.ok, outcome
    assert 27 * MB <= outcome.usage["disk"] < 28 * MB


def test_a_job_that_ends_before_it_is_caught_is_judged_by_what_it_leaves(tmp_path: Path) -> None:
    fill = python("for i in range(50): open(f'{i}', 'wb').write(b'x' * 2**20)")
    outcome = limited(tmp_path, fill, disk=30 * MB)
    judge(outcome, "limit", "MB of disk; 30 MB are allowed")


def test_a_single_file_beyond_all_limits_is_ended_by_the_kernel_and_told_so(tmp_path: Path) -> None:
    outcome = limited(tmp_path, shell("exec head -c 41943040 /dev/zero > file"), disk=30 * MB)
    assert outcome.ending == "limit"
    assert "30 MB" in outcome.detail
    assert (tmp_path / "work" / "file").stat().st_size == 30 * MB


def test_too_many_files_without_content_are_too_many(tmp_path: Path) -> None:
    make = "for i in range(3000): os.close(os.open(f'{i}', os.O_CREAT))\n"
    outcome = limited(tmp_path, code(make), files=2000)
    judge(outcome, "limit", "'experiment' made more than 2000 files; 2000 are allowed; it was killed.")
    assert outcome.usage["files"] > 2000
    late(tmp_path, "many files")


def test_as_many_files_as_allowed_are_left_alone_and_the_end_is_judged_too(tmp_path: Path) -> None:
    make = python("import os\nfor i in range(1900): os.close(os.open(f'{i}', os.O_CREAT))")
    assert limited(tmp_path, make, files=2000).ok
    again = python("import os\nfor i in range(1900, 2100): os.close(os.open(f'{i}', os.O_CREAT))")
    (tmp_path / "attempt").rename(tmp_path / "first")
    judge(limited(tmp_path, again, files=2000), "limit", "made more than 2000 files; 2000 are allowed.")


# ---- output


@pytest.mark.parametrize(
    ("text", "name"),
    [("yes", "standard output"), ("yes >&2", "standard error"), ("cat /dev/zero", "standard output")],
)
def test_endless_output_is_too_much(tmp_path: Path, text: str, name: str) -> None:
    outcome = run(tmp_path, shell(f"exec {text}"), limits=Limits(output=20 * MB), stream_bytes=MB)
    judge(outcome, "limit", f"to {name}; 20 MB are allowed; it was killed.")
    assert outcome.usage["output"] > 20 * MB
    assert sum(file.stat().st_size for file in (tmp_path / "attempt").glob("std*.log")) < 2 * MB


def test_much_output_that_came_at_once_is_judged_at_the_end(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("head -c 3000000 /dev/zero"), limits=Limits(output=2 * MB))
    judge(outcome, "limit", "'experiment' wrote 2.861 MB to standard output; 2 MB are allowed.")


# ---- what the kernel does by itself


def test_open_files_core_dumps_and_file_size_are_the_kernels_business(tmp_path: Path) -> None:
    ask = python(
        "import resource as r; print([r.getrlimit(x)[0] for x in (r.RLIMIT_NOFILE, r.RLIMIT_CORE, r.RLIMIT_FSIZE)])"
    )
    assert limited(tmp_path, ask, open_files=123, disk=30 * MB).ok
    assert json.loads((tmp_path / "attempt" / "stdout.log").read_text()) == [123, 0, 30 * MB]


def test_a_job_cannot_raise_what_the_kernel_holds(tmp_path: Path) -> None:
    """Root may; the sandboxes take that right away, and here it becomes an ordinary user first."""
    ordinary = "setpriv --reuid=65534 --regid=65534 --clear-groups " if os.getuid() == 0 else ""
    (tmp_path / "again").mkdir()
    assert limited(tmp_path, shell(f"{ordinary}sh -c 'ulimit -n 100'"), open_files=123).exit_code == 0
    assert limited(tmp_path / "again", shell(f"{ordinary}sh -c 'ulimit -n 5000'"), open_files=123).exit_code == 2


@pytest.mark.parametrize(
    ("report", "kills", "word"),
    [
        (Report("experiment", signal=9), 1, "no memory left"),
        (Report("experiment", exit_code=137), 1, "no memory left"),  # as a shell, or bubblewrap, tells it
        (Report("experiment", signal=9), 0, ""),
        (Report("experiment", exit_code=1), 1, ""),
        (Report("experiment", signal=25), 0, "more than 30 MB"),
        (Report("experiment", exit_code=153), 0, "more than 30 MB"),
    ],
)
def test_what_the_kernel_ended_is_told_as_such(tmp_path: Path, report: Report, kills: int, word: str) -> None:
    launcher = Launcher(tmp_path, Job((shell("true"),), str(tmp_path), limits=Limits(disk=30 * MB)))
    launcher.oom_kills -= kills
    said = launcher._kernels_verdict(report)
    assert word in said and bool(word) == bool(said)


def test_the_processes_of_a_sandbox_itself_do_not_count(tmp_path: Path) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("no bubblewrap here")
    (tmp_path / "work").mkdir()
    reach = Reach(writable=(str(tmp_path / "work"),))
    ask = dataclasses.replace(shell("sleep 1 & sleep 1 & wait"), reach=reach)
    outcome = run(tmp_path, ask, sandbox="bwrap", limits=Limits(processes=30))
    if outcome.ending == "unstartable":
        pytest.skip(outcome.detail)
    assert outcome.ok and outcome.usage["processes"] == 3


# ---- no limit, and no false word


def test_without_limits_nothing_is_limited_but_everything_recorded(tmp_path: Path) -> None:
    busy = (
        "import time\nx = b'x' * (60 * 2**20)\nopen('file', 'wb').write(x)\nprint('x' * 999)\n"
        "for _ in range(3): os.fork() or os._exit(time.sleep(1) or 0)\n"
    )
    outcome = limited(tmp_path, code(busy, 1.0))
    assert outcome.ok
    assert 60 * MB <= outcome.usage["memory"] < 100 * MB
    assert outcome.usage["disk"] == pytest.approx(60 * MB, rel=0.01)
    assert (outcome.usage["processes"], outcome.usage["output"]) == (4, 1000)


def test_a_job_that_is_stopped_has_its_usage_and_no_excess(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, code("x = b'x' * (30 * 2**20)"), limits=Limits(memory=200 * MB, processes=5))
    LocalRunner().start(attempt)
    until((tmp_path / "work" / "when").exists)
    time.sleep(0.6)
    LocalRunner().stop(attempt)
    outcome = ended(attempt)
    assert outcome.ending == "stopped"
    assert outcome.usage["memory"] > 30 * MB


def test_a_hog_in_its_last_second_of_grace_is_killed_at_once_and_the_reason_stays(tmp_path: Path) -> None:
    greedy = "import signal\nx = []\nsignal.signal(signal.SIGTERM, lambda *_: x.append(b'x' * (90 * 2**20)))\n"
    attempt = attempt_of(tmp_path, code(greedy), limits=Limits(memory=60 * MB))
    LocalRunner().start(attempt)
    until((tmp_path / "work" / "when").exists)
    LocalRunner().stop(attempt)
    outcome = ended(attempt)
    assert (outcome.ending, outcome.detail) == ("stopped", "'experiment' was stopped on request.")
    assert outcome.usage["memory"] > 60 * MB


def test_a_hog_that_a_command_left_behind_does_not_start_the_next(tmp_path: Path) -> None:
    hog = python(
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n    time.sleep(0.3); x = b'x' * (120 * 2**20); time.sleep(20)\n"
    )
    outcome = run(tmp_path, hog, shell("touch evaluated", "evaluate"), limits=Limits(memory=60 * MB))
    judge(outcome, "limit", "'experiment' used")
    assert not (tmp_path / "work" / "evaluated").exists()


# ---- what it costs


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("what", "text", "most"),
    [
        ("1 idle process", "", 0.03),
        ("8 processes at 0.95 of the memory", "x = b'x' * (150 * 2**20)\nfor _ in range(7):\n    if os.fork() == 0: break\n", 0.10),
        ("200 processes", "for _ in range(199):\n    if os.fork() == 0: break\n", 0.10),
        ("20000 files", "for i in range(20_000): open(f'{i}', 'wb')\n", 0.20),
    ],
)  # fmt: skip
def test_the_launcher_needs_little(tmp_path: Path, what: str, text: str, most: float) -> None:
    allowed = Limits(memory=170 * MB if "memory" in what else 4000 * MB, disk=1000 * MB, processes=250)
    command = dataclasses.replace(code(text), reach=Reach(writable=(str(tmp_path / "work"),)))
    attempt = attempt_of(tmp_path, command, limits=allowed)
    LocalRunner().start(attempt)
    until((tmp_path / "work" / "when").exists, 20.0)
    time.sleep(0.5)
    launcher = launcher_of(attempt)
    before = processor_seconds(launcher)
    time.sleep(5.0)
    share = (processor_seconds(launcher) - before) / 5.0
    LocalRunner().stop(attempt)
    outcome = ended(attempt)
    print(f"{what}: the launcher took {share:.1%} of a core; {outcome.usage}")
    assert outcome.ending == "stopped", outcome
    assert share < most


# ---- cores

CORES = "import json, os; print(json.dumps([len(os.sched_getaffinity(0)), os.environ.get('OMP_NUM_THREADS')]))"
HERE_ARE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize("tier", ["none", "bwrap", "landlock"])
@pytest.mark.parametrize(
    ("cpus", "env", "expected"),
    [
        (1, {}, [1, "1"]),
        (1, {"OMP_NUM_THREADS": "3"}, [1, "3"]),
        (1000, {}, [HERE_ARE, str(HERE_ARE)]),
        (None, {}, [HERE_ARE, None]),
    ],
)
def test_a_job_runs_on_so_many_cores_and_threads_follow_unless_they_are_set(
    tmp_path, monkeypatch, tier, cpus, env, expected
):
    found = tiers.probe(tier) if tier != "none" else None
    if found and not found.works and not os.environ.get("CI"):
        pytest.skip(found.said)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    command = Command(
        "experiment",
        (sys.executable, "-I", "-S", "-c", CORES),
        reach=Reach((), (str(tmp_path), sys.base_prefix, sys.prefix)),
    )
    outcome = run(tmp_path, command, limits=Limits(cpus=cpus), env=env, sandbox=tier)
    assert outcome.ok, (tmp_path / "attempt/stderr.log").read_text()
    assert json.loads((tmp_path / "attempt/stdout.log").read_text()) == expected


def test_jobs_do_not_pile_up_on_the_same_core() -> None:
    chosen = subprocess.check_output([sys.executable, "-c", PINNED], text=True, cwd=HERE.parents[1]).split()
    assert len(chosen) == 20 and (len(set(chosen)) > 1 or HERE_ARE == 1)


PINNED = """
import os
from agent.runners.limits import pin
ours = os.sched_getaffinity(0)
for _ in range(20):
    os.sched_setaffinity(0, ours)
    pin(1)
    print(*os.sched_getaffinity(0))
"""


# ---- pure parts


def test_of_nested_folders_only_the_outer_one_counts(tmp_path: Path) -> None:
    writable = tuple(str(tmp_path / name) for name in ("a", "a-b", "a/c", "attempt/home/x"))
    job = Job((Command("one", ("true",), reach=Reach(writable)), Command("two", ("true",), reach=Reach(writable))), "/")
    found = [os.path.relpath(name, tmp_path) for name in limits.roots(job, tmp_path / "attempt")]
    assert found == ["a", "a-b", *(f"attempt/{name}" for name in sorted((*limits.OWN, limits.TEMPORARY_FOLDER)))]


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (812, "812 B"), (200 * MB, "200 MB"), (214.33 * MB, "214.3 MB"), (16 * 1024 * MB, "16 GB"), (2e16, "18626451 GB")],
)  # fmt: skip
def test_sizes_are_for_people(count: float, said: str) -> None:
    assert limits.size(count) == said
