"""What is measured of processes and folders, against processes and folders of known size."""

from __future__ import annotations

import contextlib
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runners import watch
from agent.runners.stored import PIECE, Stored, _unlock, store
from tests.runners.attempts import until

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

MB = 1024 * 1024
SLEEP = "; print('ready', flush=True); import time; time.sleep(60)"


@contextlib.contextmanager
def running(code: str) -> Iterator[int]:
    """A Python that runs `code` and then sleeps."""
    argv = [sys.executable, "-I", "-S", "-c", code + SLEEP]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


def whole(pid: int) -> list[watch.Seen]:
    """A process and all below it."""
    return [seen for seen in watch.below(os.getpid()) if seen.pid == pid] + watch.below(pid)


def exact(pid: int) -> float:
    return watch.exact(whole(pid)) / MB


def stored(*roots: Path, processes: tuple[int, ...] = ()) -> Stored:
    into = Stored()
    for _ in store([str(root) for root in roots], processes, into):
        pass
    return into


def disk(*roots: Path) -> float:
    return stored(*roots).disk / MB


# ---- memory


def test_memory_that_a_process_has_written_counts() -> None:
    with running("x = bytearray(b'x' * 50 * 2**20)") as pid:
        assert 50 < exact(pid) < 65
        assert watch.quick(whole(pid)) / MB == pytest.approx(exact(pid), abs=8)


def test_memory_that_was_only_reserved_does_not_count() -> None:
    with running("import mmap; x = mmap.mmap(-1, 500 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)") as pid:
        assert exact(pid) < 15


def test_shared_memory_counts_once_and_only_the_quick_sum_counts_it_often() -> None:
    code = """
import mmap, os
x = mmap.mmap(-1, 40 * 2**20)
x[:] = b'x' * len(x)
inside = [os.pipe() for _ in range(3)]
for readable, writable in inside:
    if os.fork() == 0:
        sum(x[i] for i in range(0, len(x), 4096)); os.write(writable, b'1'); os.read(readable + 0 * 1, 0)
        import time; time.sleep(60)
for readable, _ in inside: os.read(readable, 1)
pass"""
    with running(code) as pid:
        assert len(whole(pid)) == 4
        assert 40 < exact(pid) < 75
        assert watch.quick(whole(pid)) > 155 * MB


def test_a_fork_of_a_large_process_counts_only_what_it_has_changed() -> None:
    code = """
import os, time
x = bytearray(b'x' * 60 * 2**20)
ready = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        for i in range(0, 10 * 2**20, 4096): x[i] = 1
        os.write(ready[1], b'1'); time.sleep(60)
for _ in range(3): os.read(ready[0], 1)
pass"""
    with running(code) as pid:
        assert 60 + 3 * 10 - 1 < exact(pid) < 60 + 3 * 10 + 25
        assert watch.quick(whole(pid)) > 230 * MB


def test_mapped_files_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 40 * MB)
    code = f"""
import mmap
file = open({str(tmp_path / "data")!r}, 'rb')
x = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
sum(x[i] for i in range(0, len(x), 4096))
pass"""
    with running(code) as pid:
        assert exact(pid) < 15


def test_a_process_between_vfork_and_exec_does_not_double_its_parent(tmp_path: Path) -> None:
    """posix_spawn makes such a child; here it waits for a writer of the fifo before it may go on."""
    os.mkfifo(tmp_path / "fifo")
    code = f"""
import os, threading
x = bytearray(b'x' * 50 * 2**20)
action = [(os.POSIX_SPAWN_OPEN, 9, {str(tmp_path / "fifo")!r}, os.O_RDONLY, 0)]
threading.Thread(target=lambda: os.posix_spawn('/bin/sleep', ['sleep', '60'], {{}}, file_actions=action)).start()
import signal; signal.alarm(60)
pass"""
    argv = [sys.executable, "-I", "-S", "-c", code]
    with subprocess.Popen(argv, start_new_session=True) as process:
        try:
            until(lambda: len(whole(process.pid)) == 2)
            until(lambda: watch.quick(whole(process.pid)) > 99 * MB)
            assert exact(process.pid) < 70
        finally:
            os.killpg(process.pid, 9)


def test_a_process_that_has_ended_counts_nothing_and_one_that_waits_for_its_parent_only_as_a_process() -> None:
    assert watch.exact([watch.Seen(2**22 + 1, 1, 1, 50 * MB, 0)]) == 0
    with running("import os; os.fork() or os._exit(0); time = __import__('time'); time.sleep(0.1)") as pid:
        mine, dead = whole(pid)
        assert (mine.pid, dead.parent, dead.memory) == (pid, pid, 0)


def test_a_sum_stops_when_it_is_too_large() -> None:
    with running("x = bytearray(b'x' * 50 * 2**20)") as pid:
        seen = whole(pid)
        same = [*seen, seen[0]._replace(private=MB)]
        assert watch.exact(same) > 100 * MB
        assert 50 * MB < watch.exact(same, limit=20 * MB) < 65 * MB


# ---- processes


def test_children_that_a_thread_has_started_are_found_with_and_without_the_kernels_lists() -> None:
    children: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: children.append(subprocess.Popen(["sleep", "60"])))
    with running("import subprocess, threading; s = ['sh', '-c', 'sleep 60 & wait']; subprocess.Popen(s)") as pid:
        until(lambda: len(watch.below(pid)) == 2)
        assert {one.pid for one in watch.below(pid, lists=False)} == {one.pid for one in watch.below(pid)}
        thread.start()
        thread.join()
        found = {one.pid for one in watch.below(os.getpid())}
        assert {children[0].pid, pid} <= found
        children[0].kill()
        children[0].wait()


def test_the_count_stops_beyond_the_limit() -> None:
    with running("import subprocess; x = [subprocess.Popen(['sleep', '60']) for _ in range(20)]") as pid:
        assert len(watch.below(pid)) == 20
        assert len(watch.below(pid, most=5)) == 6


def test_threads_are_known() -> None:
    with running(
        "import threading, time; [threading.Thread(target=time.sleep, args=(60,)).start() for _ in range(9)]"
    ) as pid:
        assert whole(pid)[0].threads == 10


# ---- disk


def test_files_count_by_their_blocks_a_sparse_one_by_what_it_uses_a_link_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "inside" / "deeper").mkdir(parents=True)
    (tmp_path / "inside" / "deeper" / "file").write_bytes(b"x" * 3 * MB)
    os.link(tmp_path / "inside" / "deeper" / "file", tmp_path / "inside" / "again")
    with (tmp_path / "inside" / "sparse").open("wb") as file:
        file.truncate(10_000 * MB)
        file.write(b"x" * MB)
    (tmp_path / "outside").write_bytes(b"x" * 9 * MB)
    (tmp_path / "inside" / "link").symlink_to("../outside")
    (tmp_path / "inside" / "loop").symlink_to("..")
    assert disk(tmp_path / "inside") == pytest.approx(4, abs=0.1)


def test_a_root_may_be_a_file_or_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * MB)
    assert disk(tmp_path / "file", tmp_path / "missing") == pytest.approx(1, abs=0.01)


def test_names_may_be_anything_and_folders_may_be_unreadable(tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b" ", b"-rf", b"\x1b[31m", "ü🙂".encode()):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        Path(os.fsdecode(folder), "file").write_bytes(b"x" * MB)
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0)
    try:
        assert disk(tmp_path) == pytest.approx(6, abs=0.1)
    finally:
        closed.chmod(0o700)


def test_every_name_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.link(tmp_path / "file", tmp_path / "again")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert stored(tmp_path).names == 6


def test_a_folder_that_is_closed_is_opened_only_where_the_job_may_write(tmp_path: Path) -> None:
    for name in ("inside", "outside"):
        (tmp_path / name / "closed").mkdir(parents=True)
        (tmp_path / name / "closed" / "file").write_bytes(b"x" * MB)
        (tmp_path / name / "closed").chmod(0o200)
    (tmp_path / "inside" / "link").symlink_to("../outside")
    (tmp_path / "inside" / "readonly").mkdir(mode=0o555)
    assert disk(tmp_path / "inside") == pytest.approx(1, abs=0.1)
    modes = {name: (tmp_path / name / "closed").stat().st_mode & 0o777 for name in ("inside", "outside")}
    assert modes == {"inside": 0o700, "outside": 0o200}
    assert (tmp_path / "inside" / "readonly").stat().st_mode & 0o777 == 0o555
    with contextlib.suppress(OSError):  # as if a folder on the way had been replaced by a link meanwhile
        inside = os.fsencode(tmp_path / "inside")
        _unlock((tmp_path / "inside/link/closed").stat(), inside + b"/link/closed", None, inside)
    assert (tmp_path / "outside" / "closed").stat().st_mode & 0o777 == 0o200


def test_nothing_is_too_deep(tmp_path: Path) -> None:
    """2000 levels of 50 letters: far more than a path may have, and than Python recurses."""
    depth, name = 2000, "d" * 50
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=at)
        at, above = os.open(name, os.O_RDONLY, dir_fd=at), at
        os.close(above)
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at)
    os.write(file, b"x" * 5 * MB)
    os.close(file)
    os.close(at)
    try:
        began = time.perf_counter()
        assert 5 + depth * 4096 / MB <= disk(tmp_path) < 6 + depth * 4096 / MB
        print(f"{depth} levels: {time.perf_counter() - began:.2f} s")
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / name)], check=True)


def test_files_that_vanish_while_we_look_are_no_trouble(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"folder{number}").mkdir()
        (tmp_path / f"folder{number}" / "file").write_bytes(b"x" * 4096)
    steps = store([str(tmp_path)], [], into := Stored())
    for _ in range(150):
        next(steps)
    subprocess.run(["rm", "-rf", *map(str, tmp_path.iterdir())], check=True)
    assert list(steps)
    assert 0 < into.disk < 400 * 3 * 4096


def test_a_walk_can_pause_within_a_large_folder(tmp_path: Path) -> None:
    for number in range(10 * PIECE):
        (tmp_path / str(number)).touch()
    steps = store([str(tmp_path)], [], Stored())
    assert sum(1 for _ in steps) >= 10
    half = store([str(tmp_path)], [], Stored())
    next(half)
    before = len(os.listdir("/proc/self/fd"))
    del half  # whoever stops in the middle leaves no descriptor open
    assert len(os.listdir("/proc/self/fd")) < before


# ---- files that no folder shows


def test_a_deleted_file_counts_for_as_long_as_it_is_open_for_writing(tmp_path: Path) -> None:
    code = f"import tempfile; x = tempfile.TemporaryFile(dir={str(tmp_path)!r}); x.write(b'x' * 7 * 2**20); x.flush()"
    with running(code) as pid:
        assert stored(tmp_path, processes=(pid, pid)).disk / MB == pytest.approx(7, abs=0.1)


def test_a_deleted_file_that_is_only_read_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 7 * MB)
    code = f"import os; x = open({str(tmp_path / 'file')!r}, 'rb'); os.unlink(x.name)"
    with running(code) as pid:
        assert stored(tmp_path, processes=(pid,)).disk / MB < 0.1


def test_files_in_memory_count_as_memory_mapped_or_not() -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        code = f"""
import os
one = os.memfd_create('one'); os.write(one, b'x' * 5 * 2**20)
two = open({file.name!r}, 'wb'); two.write(b'x' * 6 * 2**20); two.flush()
pass"""
        with running(code) as pid:
            held = stored(processes=(pid,))
            assert (held.disk, held.memory / MB) == (0, pytest.approx(11, abs=0.1))
            assert watch.exact(whole(pid), held.memory) / MB == pytest.approx(exact(pid) + 11, abs=1)


def test_a_tmpfs_of_the_jobs_own_counts_as_memory(tmp_path: Path) -> None:
    code = "mount -t tmpfs mine /mnt && head -c 5242880 /dev/zero > /mnt/file && echo ready && exec sleep 60"
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", code]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                pytest.skip("no user namespaces here")
            assert stored(processes=(process.pid,)).memory / MB == pytest.approx(5, abs=0.1)
        finally:
            process.kill()


def test_the_cost_of_a_look(tmp_path: Path) -> None:
    """Figures only: what one look at a process, at its exact memory and at a thousand files takes."""
    for number in range(1000):
        (tmp_path / str(number)).touch()
    x = mmap.mmap(-1, 100 * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    x[:] = b"x" * len(x)

    def milliseconds(work: object) -> float:
        assert callable(work)
        began = time.process_time()
        for _ in range(20):
            work()
        return (time.process_time() - began) * 50

    with running("import subprocess; x = [subprocess.Popen(['sleep', '60']) for _ in range(8)]") as pid:
        print(f"\n8 processes       {milliseconds(lambda: watch.below(pid)):8.3f} ms")
        print(f"8 small, exact    {milliseconds(lambda: watch.exact(watch.below(pid))):8.3f} ms")
    me = watch.Seen(os.getpid(), 0, 1, 1, 0)
    print(f"150 MB, exact     {milliseconds(lambda: watch.exact([me])):8.3f} ms")
    print(f"1000 files        {milliseconds(lambda: stored(tmp_path)):8.3f} ms")
    x.close()
