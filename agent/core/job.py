"""What a runner starts (a Job) and how it ended (an Outcome).

Standard library only: the launcher reads these on the machine that runs the job, and must start fast.
A job lives in an attempt folder:

    job.json        what to do, written once before the start
    lock            held (flock) by the launcher for as long as it lives
    status.json     how it is going, replaced atomically; the last one holds the outcome
    stop            its presence asks the launcher to end the job
    progress.jsonl  written by the experiment
    stdout.log stderr.log   capped: head and tail are kept
    home/ tmp/      HOME and TMPDIR of the job
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.core.hub import HUB, Allowed

JOB_FILE = "job.json"
LOCK_FILE = "lock"
STATUS_FILE = "status.json"
STOP_FILE = "stop"
PROGRESS_FILE = "progress.jsonl"

MiB = 1024 * 1024

Ending = Literal["finished", "timeout", "limit", "diverged", "stalled", "stopped", "lost", "unstartable"]


@dataclass(frozen=True)
class Reach:
    """What a command may touch beside the system's own folders (read-only) and its HOME and TMPDIR. Absolute paths.

    `writable` and `readable` exist when it starts; `hidden` lie below readable ones and are not there for the command.
    """

    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: dict[str, Any]) -> Reach:
        return Reach(**{key: tuple(value) for key, value in data.items()})


@dataclass(frozen=True)
class Limits:
    """Of the whole tree of a job, its commands together. None: no limit. Exceeding one ends the job."""

    memory: int | None = None  # bytes resident
    disk: int | None = None  # bytes in the writable folders, HOME and TMPDIR among them
    processes: int | None = None
    files: int = 200_000  # names in the writable folders, HOME and TMPDIR; a folder is one, too
    cpus: int | None = None  # cores that it is pinned to; nothing is ended for it
    open_files: int = 4096  # of each process
    output: int = 1024 * MiB  # bytes of each stream; far more than is kept


@dataclass(frozen=True)
class Command:
    """One program of a job; a job's commands run one after the other until one fails."""

    name: str  # "experiment", "evaluate": shown to people
    argv: tuple[str, ...]
    unlink_first: tuple[str, ...] = ()  # files, relative to the job's cwd, that must not exist when it starts
    reach: Reach = Reach()


@dataclass(frozen=True)
class Job:
    commands: tuple[Command, ...]
    cwd: str
    env: dict[str, str] = field(default_factory=dict)  # on top of the few harmless variables that are inherited
    seconds: float = 600.0  # wall clock for all commands together
    stream_bytes: int = 16 * MiB  # kept of each stream
    sandbox: str = "none"  # a tier of runners.sandbox; "auto": the best that works where the job runs
    network: Literal["none", "hub", "host"] = "none"
    hub: Allowed = HUB  # what `network = "hub"` lets through
    limits: Limits = Limits()
    stall: float | None = None  # seconds without a word in progress.jsonl, after a first one, that end the job
    inherit: tuple[
        str, ...
    ] = ()  # variables that a trusted job gets by name though they may hold keys: none is written

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Job:
        commands = tuple(
            Command(c["name"], tuple(c["argv"]), tuple(c.get("unlink_first", ())), Reach.from_json(c.get("reach", {})))
            for c in data["commands"]
        )
        hub = Allowed.from_json(data["hub"]) if "hub" in data else HUB
        limits, inherit = Limits(**data.get("limits", {})), tuple(data.get("inherit", ()))
        return Job(**{**data, "commands": commands, "hub": hub, "limits": limits, "inherit": inherit})


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `finished` says only that it ended by itself: look at `exit_code`."""

    ending: Ending
    command: str = ""  # the one that was running when it ended
    exit_code: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    detail: str = ""  # one sentence for people
    unlinked: tuple[str, ...] = ()  # files of `unlink_first` that were there and were removed
    dropped_bytes: int = 0  # output beyond the cap
    usage: dict[str, float] = field(default_factory=dict)  # the most that was seen: memory, disk, processes
    sandbox: str = ""  # what was in force, in one line

    @property
    def ok(self) -> bool:
        return self.ending == "finished" and self.exit_code == 0

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Outcome:
        return Outcome(**{**data, "unlinked": tuple(data.get("unlinked", ()))})


@dataclass(frozen=True)
class Running:
    """The launcher lives. `heartbeat` is the wall-clock time (seconds since the epoch) of its last sign of life."""

    pid: int
    started: float
    heartbeat: float
    command: str = ""


@dataclass(frozen=True)
class NotStarted:
    """job.json may be there, but no launcher has ever taken it."""


Sight = Running | Outcome | NotStarted
