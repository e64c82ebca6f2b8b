"""The attempt folder on disk: who has it (the lock) and how it goes (status.json).

Two facts carry everything else:

* An attempt is *taken* when status.json exists. It is written under the lock, before anything is started, and never
  removed without its folder: no job runs twice in one folder. A folder is removed when nobody has it and nobody can
  take it any more (`close`); a launcher that was late all the same notices that the lock is not that of the new one.
* The lock is one open file description, shared by the launcher and its reaper. It is free only when both are gone,
  so "taken, no outcome, lock free" means that the launcher died *and* that its reaper has finished killing.

Probing takes the lock in shared mode for some microseconds, so that two probes never see each other; a launcher that
meets a probe tries again. Nothing here depends on process numbers, which are reused.
Limit: on network file systems flock is only as good as the server's; attempts belong on a disk of the machine or on
an NFS with working locks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent.core.job import (
    JOB_FILE,
    LOCK_FILE,
    PROGRESS_FILE,
    STATUS_FILE,
    STOP_FILE,
    Job,
    NotStarted,
    Outcome,
    Running,
    Sight,
)
from agent.runners.sandbox import HOME_FOLDER, TEMPORARY_FOLDER

LAUNCHER_LOG = "launcher.log"
LONGEST_TEMPORARY = 60  # bytes; multiprocessing appends up to 40
LOCK_PATIENCE = 2.0  # seconds: far more than a probe holds the lock or a launcher needs to write its first status

State = Literal["running", "ending", "ended"]


@dataclass(frozen=True)
class Status:
    """The contents of status.json. `outcome` is there exactly when `state` is "ended"."""

    state: State
    pid: int
    host: str
    started: float  # wall clock, seconds since the epoch, as is `heartbeat`
    heartbeat: float
    command: str = ""
    outcome: Outcome | None = None

    @staticmethod
    def first() -> Status:
        now = time.time()
        return Status("running", os.getpid(), os.uname().nodename, now, now)

    def beat(self, state: State, command: str = "") -> Status:
        return dataclasses.replace(self, state=state, command=command, heartbeat=time.time())

    def end(self, outcome: Outcome) -> Status:
        return dataclasses.replace(self.beat("ended", outcome.command), outcome=outcome)


def read_job(attempt: Path) -> Job:
    """ValueError with one sentence if job.json is missing or is none."""
    path = attempt / JOB_FILE
    try:
        job = Job.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ValueError(f"{path} is no job description: {problem}") from None
    if not job.commands or not all(command.argv for command in job.commands):
        raise ValueError(f"{path} has no command, or an empty one")
    return job


def write_job(attempt: Path, job: Job) -> None:
    """What a step writes before it starts the attempt."""
    attempt.mkdir(parents=True, exist_ok=True)
    _replace(attempt / JOB_FILE, json.dumps(job.to_json(), indent=1))


def write_status(attempt: Path, status: Status) -> None:
    data = dataclasses.asdict(status)
    data["outcome"] = status.outcome.to_json() if status.outcome else None
    _replace(attempt / STATUS_FILE, json.dumps(data))
    if status.outcome is not None:
        _sync_folder(attempt)  # the last write must survive a power cut, name included


def read_status(attempt: Path) -> Status | None:
    """None if the attempt was never taken. A status.json that cannot be understood still counts as taken."""
    try:
        text = (attempt / STATUS_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        data: dict[str, Any] = json.loads(text)
        outcome = Outcome.from_json(data["outcome"]) if data.get("outcome") else None
        return Status(**{**data, "outcome": outcome})
    except (ValueError, TypeError, KeyError):
        return Status("running", 0, "", 0.0, 0.0)


def is_taken(attempt: Path) -> bool:
    return (attempt / STATUS_FILE).exists()


def take(attempt: Path) -> int | None:
    """The lock's descriptor, held; None if the attempt belongs, or once belonged, to another launcher."""
    descriptor = os.open(attempt / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + LOCK_PATIENCE
    while not is_taken(attempt):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # a launcher that has not written its status yet, or only a probe
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
            continue
        if is_taken(attempt) or not _is_lock_of(descriptor, attempt):  # it came and went between our two looks
            break
        return descriptor
    os.close(descriptor)
    return None


def close(attempt: Path) -> None:
    """No launcher that is still on its way may start here: the attempt counts as taken, and as ended. Else nothing."""
    lock = take(attempt)
    if lock is None:
        return
    try:
        write_status(attempt, Status.first().end(Outcome("stopped", detail="It was given up before it was started.")))
    finally:
        os.close(lock)


def _is_lock_of(descriptor: int, attempt: Path) -> bool:
    """Not if the folder was removed since, even where there is a new one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), (attempt / LOCK_FILE).stat())
    except FileNotFoundError:
        return False


def is_locked(attempt: Path) -> bool:
    try:
        descriptor = os.open(attempt / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def sight(attempt: Path) -> Sight:
    """How the attempt is, from its files alone.

    The status is read before the lock is probed: one that was there before and shows no outcome after a free lock
    is lost for good, while one that appears in between is merely young.
    """
    before = read_status(attempt)
    if before is not None and before.outcome is not None:
        return before.outcome
    locked = is_locked(attempt)
    if before is None and not locked:
        return NotStarted()
    after = read_status(attempt)
    if after is not None and after.outcome is not None:
        return after.outcome
    if not locked:
        return Outcome("lost", command=after.command if after else "", detail=_last_words(attempt))
    if after is None:  # locked, about to write its first status
        now = time.time()
        return Running(0, now, now)
    return Running(after.pid, after.started, after.heartbeat, after.command)


@contextlib.contextmanager
def job_folders(attempt: Path) -> Iterator[str]:
    """Make HOME and TMPDIR of the job; the name under which it knows the latter.

    Python's multiprocessing puts sockets there, whose names may have 107 bytes: below a long path a torch DataLoader
    with workers hangs for ever. So a long path gets a short link, in a private folder, for as long as the job runs.
    """
    for name in (HOME_FOLDER, TEMPORARY_FOLDER):
        (attempt / name).mkdir(exist_ok=True)
    (attempt / PROGRESS_FILE).touch()  # a sandbox can only let it write into what is there
    temporary = attempt / TEMPORARY_FOLDER
    if len(os.fsencode(temporary)) <= LONGEST_TEMPORARY:
        yield str(temporary)
        return
    private = Path(f"/tmp/ai-scientist-{os.urandom(6).hex()}")
    try:
        private.mkdir(mode=0o700)
        (private / "tmp").symlink_to(temporary)
    except OSError:  # no /tmp to speak of: most jobs need no sockets
        yield str(temporary)
        return
    try:
        yield str(private / "tmp")
    finally:
        forget_link(str(private / "tmp"))


def forget_link(name: str) -> None:
    """Remove the short link and its folder, if `name` is one and still there."""
    link = Path(name)
    if link.is_symlink():
        link.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            link.parent.rmdir()


def request_stop(attempt: Path) -> None:
    (attempt / STOP_FILE).touch()


def last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def _last_words(attempt: Path) -> str:
    words = last_line(attempt / LAUNCHER_LOG)
    return "The launcher died before it could record an outcome." + (f" Its last words: {words}" if words else "")


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
