import json
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.core import events as e
from agent.core.errors import InfrastructureError, InputProblem, StudyBusy
from agent.store.journal import Journal, Lock, is_locked, read
from tests.helpers import HEAD, created, opened

SETTLED = e.WorkspaceSettled(head=HEAD)


class Clock:
    def __init__(self, *times):
        self.times = list(times)

    def __call__(self):
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def written(path, *events, now=lambda: 1000.0):
    journal = Journal(path, now)
    for event in events:
        journal.append(event)
    journal.close()
    return path.read_bytes()


def test_what_is_appended_is_read_back(path):
    note = e.HumanNoted(slip="1", text="ünïcode \u2028 \x00 \N{PILE OF POO}")
    written(path, created(), opened(max_time="1h"), note)
    entries = read(path)
    assert [entry.event for entry in entries] == [created(), opened(max_time="1h"), note]
    assert [entry.seq for entry in entries] == [1, 2, 3]


def test_a_line_is_json_with_its_version_number_and_time(path):
    data = json.loads(written(path, SETTLED, now=lambda: 1795256100.1234))
    assert data == {"v": 1, "seq": 1, "at": "2026-11-21T10:15:00.123Z", "type": "workspace.settled", "head": HEAD}


def test_what_is_in_memory_is_what_is_on_disk(path):
    journal = Journal(path, lambda: 1000.123456)
    journal.append(created())
    assert journal.entries == read(path)
    journal.close()


@pytest.mark.parametrize("torn", [b"{", b'{"v": 1, "seq": 3', b"\0" * 100, b"\xff\xfe", b'{"v":1}'])
def test_a_torn_last_line_is_ignored_by_readers_and_cut_by_the_next_writer(path, torn):
    whole = written(path, created(), SETTLED)
    path.write_bytes(whole + torn)
    assert len(read(path)) == 2
    assert path.read_bytes() == whole + torn  # a reader changes nothing
    assert written(path, SETTLED).startswith(whole + b'{"v": 1, "seq": 3')
    assert len(read(path)) == 3


def test_a_journal_torn_at_any_byte_keeps_its_whole_lines(path):
    whole = written(path, created(), opened(), SETTLED)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert len(read(path)) == whole[:cut].count(b"\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 2 is damaged"),
        (b"", "line 2 is damaged"),
        (b"[1]", "line 2 is damaged"),
        (b"null", "line 2 is damaged"),
        (b"[" * 100_000, "line 2 is damaged"),
        (b"\xff\xfe", "line 2 is damaged"),
        (b'{"v": 1, "seq": 2}', "line 2 is damaged"),
        (b'{"v": 1, "seq": 2, "at": "soon", "type": "workspace.settled", "head": "x"}', "line 2 is damaged"),
        (b'{"v": 1, "seq": 2, "at": 5, "type": "workspace.settled", "head": "x"}', "line 2 is damaged"),
        (b'{"v": 1, "seq": 2, "at": "2026-11-21T10:15:00.123Z", "type": "zzz"}', "line 2 is damaged"),
        (
            b'{"v": "1", "seq": 2, "at": "2026-11-21T10:15:00.123Z", "type": "workspace.settled", "head": "x"}',
            "line 2 is damaged",
        ),
        (
            b'{"v": 1, "seq": 7, "at": "2026-11-21T10:15:00.123Z", "type": "workspace.settled", "head": "x"}',
            "line 2 has number 7",
        ),
        (
            b'{"v": 9, "seq": 2, "at": "2026-11-21T10:15:00.123Z", "type": "future.thing"}',
            "newer ai-scientist \\(format 9\\)",
        ),
    ],
)
def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_changed(path, line, said):
    first, last = written(path, created(), SETTLED).splitlines(keepends=True)
    damaged = first + line + b"\n" + last
    path.write_bytes(damaged)
    for look in (read, lambda p: Journal(p, lambda: 0.0)):
        with pytest.raises(InputProblem, match=said):
            look(path)
    assert path.read_bytes() == damaged


def test_a_journal_that_is_not_there_is_the_users_mistake(path):
    with pytest.raises(InputProblem, match="cannot read"):
        read(path)
    path.mkdir()
    with pytest.raises(InputProblem, match="cannot read"):
        read(path)


def test_a_clock_that_jumps_back_does_not_reorder_history(path):
    written(path, created(), SETTLED, SETTLED, now=Clock(2000.0, 500.0, 3000.0))
    assert [entry.at for entry in read(path)] == [2000.0, 2000.0, 3000.0]
    written(path, SETTLED, now=Clock(1.0))
    assert read(path)[-1].at == 3000.0


# --- the lock ----------------------------------------------------------------------------------------------------------


def _hold(path, ready, done):
    lock = Lock(path)
    ready.set()
    done.wait(20)
    lock.release()


def test_a_study_held_by_another_process_is_busy_until_it_lets_go(tmp_path):
    path = tmp_path / "a_study" / ".study" / "lock"
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(path, ready, done))
    other.start()
    try:
        assert ready.wait(20)
        assert is_locked(path)
        with pytest.raises(StudyBusy, match=f"a_study is being worked on by process {other.pid} on "):
            Lock(path)
    finally:
        done.set()
        other.join(20)
    assert not is_locked(path)
    Lock(path).release()


def test_a_killed_process_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import os, signal; from agent.store.journal import Lock; from pathlib import Path; "
        f"Lock(Path({str(path)!r})); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert not is_locked(path)
    Lock(path).release()


def test_asking_whether_a_study_is_locked_never_keeps_its_owner_out(tmp_path):
    path = tmp_path / "lock"
    Lock(path).release()
    over = threading.Event()

    def ask():
        while not over.is_set():
            is_locked(path)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(60):
            Lock(path).release()
    finally:
        over.set()
        for asker in askers:
            asker.join()


def test_no_lock_file_is_no_lock(tmp_path):
    assert not is_locked(tmp_path / "none")


# --- a full disk -------------------------------------------------------------------------------------------------------

FULL = """
import resource, sys
from pathlib import Path
from agent.core.errors import InfrastructureError
from agent.store.journal import Journal, read
from agent.core.events import WorkspaceSettled
from tests.helpers import HEAD, created
SETTLED = WorkspaceSettled(head=HEAD)
path = Path(sys.argv[1])
journal = Journal(path, lambda: 1000.0)
journal.append(created())
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    journal.append(SETTLED)
except InfrastructureError as error:
    print(error.message)
assert path.stat().st_size == size, "something half-written was left"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(SETTLED)
assert [e.seq for e in read(path)] == [1, 2]
"""


@pytest.mark.parametrize("room", [0, 1, 60])
def test_a_line_that_does_not_fit_is_not_half_written_and_can_be_written_later(path, room):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(room)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the journal cannot be written: ")


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_the_journal_ends_with_a_whole_line(small_disk):
    path = small_disk / "journal.jsonl"
    journal = Journal(path, lambda: 1000.0)
    with pytest.raises(InfrastructureError, match=r"No space left on device|only part of the line"):
        for _ in range(10_000):
            journal.append(SETTLED)
    assert path.read_bytes().endswith(b"\n")
    assert len(read(path)) == len(journal.entries) > 10
    journal.close()
    assert os.path.getsize(path) <= 64 * 1024


def test_no_line_holds_a_key_and_what_is_acted_on_is_what_was_written(path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", 'planted"key-0123456789')
    journal = Journal(path, lambda: 1000.0)
    said = e.RunFailed(run="run_1", attempt=1, blame="code", evidence='it printed planted"key-0123456789')
    assert journal.append(said).event.evidence == "it printed [key]"
    journal.close()
    assert b"0123456789" not in path.read_bytes()
    assert [entry.event for entry in read(path)] == [entry.event for entry in journal.entries]
