"""What a study can do next: one frozen type per step. `core.policy` decides, `agent/loop.py` says which step performs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.ledger import PHASES

Purpose = Literal["run", "smoke", "confirm", "replicate"]


@dataclass(frozen=True)
class Settle:
    """Make the working tree follow `state.head`."""


@dataclass(frozen=True)
class Ask:
    call: str
    action: str
    run: str
    turn: int
    not_before: float = 0.0  # when the provider may be tried again

    @property
    def phase(self) -> str:
        return PHASES[self.action]


@dataclass(frozen=True)
class ReadReply:
    call: str


@dataclass(frozen=True)
class Prefetch:
    """Have the template fetch its data, outside the sandbox."""

    attempt: int
    not_before: float = 0.0


@dataclass(frozen=True)
class Launch:
    run: str
    attempt: int
    purpose: Purpose = "run"
    not_before: float = 0.0  # when a job that failed for nobody's fault may be tried again


@dataclass(frozen=True)
class Aside:
    """Run plot.py or probes.py, which have changed: that is no run."""

    what: Literal["plot", "probe"]
    attempt: int


@dataclass(frozen=True)
class Draw:
    """The default figures, when the experiments are over."""

    attempt: int


@dataclass(frozen=True)
class RestorePlot:
    """plot.py as it last worked: what the coder has made of it since fails."""


@dataclass(frozen=True)
class Await:
    run: str


@dataclass(frozen=True)
class Judge:
    run: str


@dataclass(frozen=True)
class Compare:
    """A run with its baseline: on the seeds that it was run on, or on fresh ones of both."""

    run: str
    stage: Literal["screen", "confirmed"]


@dataclass(frozen=True)
class FreezePlan:
    pass


@dataclass(frozen=True)
class CloseRun:
    run: str
    reason: str


@dataclass(frozen=True)
class Build:
    """Make the paper's PDF of what is written."""

    attempt: int


@dataclass(frozen=True)
class Conclude:
    reason: str


@dataclass(frozen=True)
class Stop:
    """Nothing more to do in this session."""

    exit_code: int
    why: str
    hint: str = ""


Action = (
    Settle
    | Prefetch
    | Ask
    | ReadReply
    | Launch
    | Aside
    | Draw
    | RestorePlot
    | Await
    | Judge
    | Compare
    | FreezePlan
    | CloseRun
    | Build
    | Conclude
    | Stop
)
