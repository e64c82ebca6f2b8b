"""Everything that can happen in a study. The journal holds these; the state is their fold.

A frozen class per kind; its `type` is the word in the journal; `human.*` are a person's acts.
`head` in an event is a commit of the study's repository that the working tree must now follow: `workspace.settled`
says that it does. Intents (`call.asked`, `run.launched`) stand before the act, results after it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from agent.core.config import Settings
from agent.core.validation import Strict


class StudyCreated(Strict):
    type: Literal["study.created"] = "study.created"
    name: str
    version: str
    head: str
    profile: str
    template_sha256: str
    baselines: tuple[str, ...]  # runs to measure first: run_0, run_0_topk …; the first listed is the one judged against
    prefetch: str = ""  # the template's: what has to be fetched before anything is paid for
    parts: tuple[str, ...] = ()  # of the template's paper, those that can be written (core.paper)
    probes: bool = False  # the template can measure probes.py on all runs
    smoke: bool = False  # the profile has a smoke run, which precedes each run of the coder's code


class StudyOpened(Strict):
    """A session begins: `run`, or `resume` with its new settings."""

    type: Literal["study.opened"] = "study.opened"
    version: str
    settings: Settings
    reopen: bool = False


class StudyEnded(Strict):
    type: Literal["study.ended"] = "study.ended"
    reason: Literal["completed", "max_runs", "time", "cost", "no_edits", "stopped"]
    head: str


class PlanFrozen(Strict):
    type: Literal["plan.frozen"] = "plan.frozen"
    plan: dict[str, Any]
    sha256: str


class PlanDeviated(Strict):
    """By a new session's settings, or by a person with a reason (`amend`): then all runs are judged anew."""

    type: Literal["plan.deviated"] = "plan.deviated"
    what: str
    planned: Any
    now: Any
    why: str = ""  # a person's reason
    slip: str = ""


class WorkspaceSettled(Strict):
    type: Literal["workspace.settled"] = "workspace.settled"
    head: str


class DataFetched(Strict):
    """The template's `prefetch` has ended well. What runs are given from now on; part of their protocol."""

    type: Literal["data.fetched"] = "data.fetched"
    attempt: int
    revisions: dict[str, str]
    seconds: float = 0.0


class DataFailed(Strict):
    type: Literal["data.failed"] = "data.failed"
    attempt: int
    kind: str  # a row of core.prefetch
    evidence: str


class CallAsked(Strict):
    type: Literal["call.asked"] = "call.asked"
    call: str
    action: Literal["edit", "notes", "draft", "refine", "sketch", "revise", "mend"]
    run: str
    turn: int
    model: str
    prompt_sha256: str


class CallSent(Strict):
    """One try goes out. It is booked at its worst case until its end is known."""

    type: Literal["call.sent"] = "call.sent"
    call: str
    model: str
    usage: dict[str, int] = {}
    cost: float | None = 0.0  # dollars; None: the price is not known


class CallFailed(Strict):
    """A try without a reply. `billed`: the provider may charge for it; without a bill, the worst case stays booked."""

    type: Literal["call.failed"] = "call.failed"
    call: str
    kind: str
    evidence: str
    billed: bool
    retry_after: float | None = None
    usage: dict[str, int] | None = None  # the bill, where there is one
    cost: float | None = None
    estimated: bool = False


class CallReplied(Strict):
    type: Literal["call.replied"] = "call.replied"
    call: str
    model: str
    reply_sha256: str
    usage: dict[str, int] = {}
    seconds: float = 0.0
    cost: float | None = 0.0
    estimated: bool = False  # the provider did not say what was used
    finish: str = "stop"


class BudgetReached(Strict):
    """The next call of a phase could cost more than is left for it, so it is not sent."""

    type: Literal["budget.reached"] = "budget.reached"
    call: str
    phase: Literal["experiments", "writing"]
    needed: float
    left: float


class EditRejected(Strict):
    type: Literal["edit.rejected"] = "edit.rejected"
    call: str
    run: str
    problems: tuple[str, ...]
    kept: tuple[dict[str, Any], ...] = ()
    base: str = ""
    summary: str = ""  # what the change was to try


class EditCommitted(Strict):
    type: Literal["edit.committed"] = "edit.committed"
    call: str
    run: str
    head: str
    files: tuple[str, ...]
    starts_run: bool  # the experiment itself changed, so there is something to run
    summary: str = ""
    base: str = ""  # the run whose code this change starts from, when the coder chose one
    notes: tuple[str, ...] = ()
    idle: str = ""  # why it starts no run, for the coder


class BaseChosen(Strict):
    type: Literal["coder.chose_base"] = "coder.chose_base"
    call: str
    run: str
    base: str
    head: str
    files: tuple[str, ...] = ()


class CoderCompleted(Strict):
    type: Literal["coder.completed"] = "coder.completed"
    call: str
    run: str
    head: str
    files: tuple[str, ...] = ()


class CompletionRefused(Strict):
    type: Literal["coder.completion_refused"] = "coder.completion_refused"
    call: str
    run: str
    reason: str


class CoderRequested(Strict):
    """Something that only a person can do: a dependency, a limit, a fault of the harness."""

    type: Literal["coder.requested"] = "coder.requested"
    call: str
    run: str
    text: str


class RunLaunched(Strict):
    type: Literal["run.launched"] = "run.launched"
    run: str
    attempt: int
    head: str
    seeds: tuple[int, ...]
    purpose: Literal["run", "smoke", "confirm", "replicate"] = "run"


class SmokePassed(Strict):
    """The whole path works at a small size; the run itself comes next."""

    type: Literal["smoke.passed"] = "smoke.passed"
    run: str
    attempt: int
    seconds: float = 0.0


class RunEnded(Strict):
    type: Literal["run.ended"] = "run.ended"
    run: str
    attempt: int
    outcome: dict[str, Any]


class RunAccepted(Strict):
    type: Literal["run.accepted"] = "run.accepted"
    run: str
    attempt: int  # 0: imported (from the cache of baselines, or a classic template's run_0)
    head: str
    metrics: dict[str, dict[str, Any]]
    seconds: float = 0.0
    source: str = ""
    warnings: tuple[str, ...] = ()
    protocol: dict[str, Any] = {}  # what the study itself set: `revisions` of its data


class SeedsMeasured(Strict):
    """More seeds of a run that has results: fresh ones of it or of its baseline to confirm, or what the coder asked for."""

    type: Literal["seeds.measured"] = "seeds.measured"
    run: str
    attempt: int
    head: str
    metrics: dict[str, dict[str, Any]]  # of these seeds; after a replication, of all of the run's seeds together
    seconds: float = 0.0
    source: str = ""


class CoderReplicated(Strict):
    """The coder asks for more seeds of a run that exists. No new run."""

    type: Literal["coder.replicated"] = "coder.replicated"
    call: str
    run: str
    of: str
    seeds: int


class PlanStated(Strict):
    """What the coder said it would do, before the first run: part of the frozen plan."""

    type: Literal["plan.stated"] = "plan.stated"
    call: str
    text: str
    sha256: str  # of the whole plan with it


class RunCompared(Strict):
    """Against the baseline (core.comparison). `screen` stands until `confirmed` replaces it."""

    type: Literal["run.compared"] = "run.compared"
    run: str
    stage: Literal["screen", "confirmed"]
    comparison: dict[str, Any]
    warnings: tuple[str, ...] = ()  # what core.effect found
    head: str = ""


class RunFailed(Strict):
    type: Literal["run.failed"] = "run.failed"
    run: str
    attempt: int
    blame: str
    evidence: str
    feedback: str = ""  # what the coder will read
    head: str = ""  # set when frozen files had to be restored


class RunClosed(Strict):
    type: Literal["run.closed"] = "run.closed"
    run: str
    reason: str
    head: str


class Shown(Strict):
    """What is known of a figure. plot.py finds the results of `runs` and of no other run; which metrics it takes is not known."""

    runs: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


class FiguresDrawn(Strict):
    """`files` are all the figures that there are now: of plot.py, or the default ones."""

    type: Literal["figures.drawn"] = "figures.drawn"
    what: Literal["plot", "default"] = "plot"
    attempt: int
    head: str
    files: tuple[str, ...]
    shows: dict[str, Shown] = {}  # by file
    labels: tuple[str, ...] | None = None  # runs that plot.py draws when they are there; None: all
    left_out: tuple[str, ...] = ()  # images of plot.py with names that are the tool's


class ProbesMeasured(Strict):
    """probes.py was run on all runs because it has changed. These are the only probes that count from now on."""

    type: Literal["probes.measured"] = "probes.measured"
    attempt: int
    runs: dict[str, dict[str, dict[str, Any]]]  # run → metric → mean, stderr, n


class SideFailed(Strict):
    type: Literal["side.failed"] = "side.failed"
    what: Literal["plot", "probe", "default"]
    attempt: int
    evidence: str
    feedback: str = ""  # what the coder will read; none: it was nobody's fault, and is tried again


class PartWritten(Strict):
    """A part of the paper is as it was asked for, and nothing in it that must not be there was found."""

    type: Literal["part.written"] = "part.written"
    call: str
    action: str
    part: str
    head: str
    parts: tuple[str, ...] = ()  # that the reply gave: an abstract may bring the title with it


class PartRejected(Strict):
    type: Literal["part.rejected"] = "part.rejected"
    call: str
    action: str
    part: str
    problems: tuple[str, ...]


class PaperBuilt(Strict):
    """latex/ is complete. `pages` is 0 where no PDF came of it; `lacking` are programs that are not installed."""

    type: Literal["paper.built"] = "paper.built"
    attempt: int
    head: str
    pages: int = 0
    errors: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    faults: dict[str, tuple[str, ...]] = {}  # by part, what LaTeX found in the coder's text, with the line in the part


class HumanEdited(Strict):
    """The tree matches no state that the tool wrote. `saved` is a commit that keeps the person's version for ever."""

    type: Literal["human.edited"] = "human.edited"
    files: tuple[str, ...]
    saved: str


class HumanTook(Strict):
    type: Literal["human.took"] = "human.took"
    files: tuple[str, ...]
    head: str
    parts: tuple[str, ...] = ()  # of the paper, whose text is now the person's


class HumanStashed(Strict):
    type: Literal["human.stashed"] = "human.stashed"
    files: tuple[str, ...]
    saved: str


class HumanNoted(Strict):
    type: Literal["human.noted"] = "human.noted"
    slip: str  # name of the inbox file, so that it is taken up once
    text: str
    keep: bool = False


class HumanStopped(Strict):
    type: Literal["human.stopped"] = "human.stopped"
    slip: str
    what: Literal["run", "study"]


class HumanRewrote(Strict):
    """`paper --rewrite`: the study has ended, and these steps of its paper are to be done anew."""

    type: Literal["human.rewrote"] = "human.rewrote"
    steps: tuple[tuple[str, str], ...]  # (action, part)


Event = (
    StudyCreated | StudyOpened | StudyEnded | PlanFrozen | PlanDeviated | WorkspaceSettled
    | DataFetched | DataFailed | CallAsked | CallSent | CallFailed | CallReplied | BudgetReached
    | EditRejected | EditCommitted | BaseChosen | CoderCompleted | CompletionRefused | CoderRequested
    | CoderReplicated | PlanStated | SeedsMeasured
    | RunLaunched | SmokePassed | RunEnded | RunAccepted | RunCompared | RunFailed | RunClosed
    | FiguresDrawn | ProbesMeasured | SideFailed
    | PartWritten | PartRejected | PaperBuilt
    | HumanEdited | HumanTook | HumanStashed | HumanNoted | HumanStopped | HumanRewrote
)  # fmt: skip

VERSION = 1


class Entry(Strict):
    """One line of the journal."""

    v: int
    seq: int
    at: float  # seconds since the epoch; written as ISO 8601
    event: Annotated[Event, Field(discriminator="type")]


_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def event_from(data: dict[str, Any]) -> Event:
    return _EVENT.validate_python(data)
