"""The state of a study, as plain data. `core.fold` makes it of the journal; nothing else may change it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from agent.core import events as e
from agent.core.calls import Try
from agent.core.config import Settings
from agent.core.prefetch import Failure


@dataclass(frozen=True)
class Call:
    name: str
    action: str
    run: str
    turn: int
    model: str
    replied: bool = False  # the reply is stored
    read: bool = False  # and has been acted upon
    old: bool = False  # what it was asked for is to be written anew
    tries: tuple[Try, ...] = ()


@dataclass(frozen=True)
class Attempt:
    number: int
    head: str
    launched: float
    seeds: tuple[int, ...] = ()
    outcome: dict[str, Any] | None = None
    blame: str = ""
    evidence: str = ""
    accepted: bool = False
    purpose: str = "run"  # or "smoke", "confirm", "replicate"
    change: str = ""  # what the coder said of the change that was run
    failed: float = 0.0  # when it was judged to have failed

    @property
    def judged(self) -> bool:
        return self.accepted or bool(self.blame)


@dataclass(frozen=True)
class Run:
    name: str
    baseline: bool
    parent: str  # the run whose code it started from
    status: str = "open"  # open → ready (an edit waits to be run) → good | closed
    summary: str = ""  # the goal: what the first change for it was to try; repairs do not rename it
    change: str = ""  # what the last change was to try
    smoked: str = ""  # the commit whose smoke run has passed
    turns: int = 0
    turns_since: int = 0  # since the last attempt
    attempts: tuple[Attempt, ...] = ()
    kept: tuple[dict[str, Any], ...] = ()  # good blocks of rejected replies
    problems: tuple[str, ...] = ()  # of the last reply
    refusal: str = ""  # why ALL_COMPLETED was refused, or what a change that starts no run was
    base: str = ""  # asked for by the coder, not yet in the tree
    feedback: str = ""  # of the last failed attempt
    head: str = ""  # the commit with its results
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    closed: str = ""  # the reason
    source: str = ""
    warnings: tuple[str, ...] = ()
    protocol: dict[str, Any] = field(default_factory=dict)
    confirmation: dict[str, dict[str, Any]] = field(default_factory=dict)  # the metrics on fresh seeds
    unconfirmable: str = ""  # why there will be none
    replicas: int = 0  # seeds that the coder has asked for and that are not measured yet
    replicated: int = 0  # how often more seeds were measured
    comparison: dict[str, Any] | None = None  # with the baseline: core.comparison, as JSON
    screened: dict[str, Any] | None = None  # what `comparison` was before it was confirmed

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def number(self) -> int:
        return 0 if self.baseline else int(self.name.removeprefix("run_"))

    @property
    def used(self) -> frozenset[int]:
        """Seeds that this run was measured on, or was to be."""
        return frozenset(seed for attempt in self.attempts for seed in attempt.seeds)

    def blamed(self, *kinds: str) -> int:
        return sum(a.blame in kinds for a in self.attempts)


@dataclass(frozen=True)
class State:
    name: str = ""
    profile: str = ""
    seq: int = 0
    last: float = 0.0
    version: str = ""
    settings: Settings = field(default_factory=Settings)
    baselines: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # of the paper
    written: frozenset[tuple[str, str]] = frozenset()  # (action, part): steps of core.paper that are done
    part_problems: tuple[str, ...] = ()  # of the last part that was not taken
    by_hand: frozenset[str] = frozenset()  # parts whose text is a person's: the coder is not asked for them
    faults: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by part: found by LaTeX, not mended since
    rewriting: str = ""  # how the study had ended before a person asked for the paper anew: no run is begun
    unbuilt: bool = False  # the paper has changed since it was built
    builds: int = 0
    built: e.PaperBuilt | None = None
    probes: bool = False  # the template can measure probes.py on all runs
    due: frozenset[str] = (
        frozenset()
    )  # "plot", "probe": changed and not run since; "default": not drawn since results came
    sides: tuple[tuple[str, bool], ...] = ()  # plots and probes that were run: what, and whether it was anybody's fault
    told: str = ""  # what came of the last of them, for the coder
    figures: dict[str, e.Shown] = field(default_factory=dict)  # by file, what each shows
    labels: (
        tuple[str, ...] | None
    ) = ()  # runs that plot.py draws when they are there; None: all; before it was run: none
    undrawn: int = 0  # how often drawing the default figures failed, in this session and since the last results
    smoke: bool = False  # each run of the coder's code is preceded by a smoke run
    prefetch: str = ""  # "FILE:FUNCTION" of the template, if it has data to fetch
    revisions: dict[str, str] | None = None  # of what was fetched; None: nothing was, or not yet
    fetch_failures: tuple[Failure, ...] = ()
    plan: dict[str, Any] | None = None
    deviations: tuple[e.PlanDeviated, ...] = ()
    head: str = ""
    previous: str = ""  # what the tree followed before `head`
    settled: bool = True
    runs: dict[str, Run] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    noted: frozenset[str] = frozenset()  # runs whose notes the coder has written
    completed: bool = False
    completions_refused: int = 0
    held: str = ""  # why this session cannot go on
    edited: e.HumanEdited | None = None  # waiting for --take or --stash
    interventions: tuple[tuple[float, str], ...] = ()
    requests: tuple[e.CoderRequested, ...] = ()
    hints: tuple[e.HumanNoted, ...] = ()  # for the next prompt, or for all
    slips: frozenset[str] = frozenset()
    stopping: str = ""  # "run" or "study"
    ended: str = ""
    unaffordable: tuple[e.BudgetReached, ...] = ()  # phases whose next call does not fit into --max-cost
    spent: float = 0.0  # seconds of work in sessions before this one
    session: float = 0.0  # when this one began
    reopened: int = 0  # how many runs there were when a study that had ended was last gone on with

    @property
    def good(self) -> list[Run]:
        return [r for r in self.runs.values() if r.status == "good" and not r.baseline]

    @property
    def tried(self) -> list[Run]:
        return [r for r in self.runs.values() if not r.baseline]

    @property
    def reference(self) -> Run | None:
        """The baseline that runs are judged against, once measured."""
        run = self.runs.get(self.baselines[0]) if self.baselines else None
        return run if run and run.status == "good" else None

    @property
    def current(self) -> Run | None:
        return next((r for r in self.runs.values() if r.status in ("open", "ready")), None)

    @property
    def at_work(self) -> bool:
        """Whether a job is under way, of whatever run."""
        return any(r.attempt and r.attempt.outcome is None and not r.attempt.judged for r in self.runs.values())

    @property
    def last_good(self) -> Run | None:
        return self.good[-1] if self.good else self.reference

    def affordable(self, phase: str) -> bool:
        return all(reached.phase != phase for reached in self.unaffordable)

    @property
    def waiting_call(self) -> Call | None:
        return next((c for c in self.calls.values() if not c.read), None)

    def turns(self, action: str, run: str) -> int:
        """How often this was asked for; a run that was given up unchanged may be asked for again under its number."""
        return sum(c.action == action and c.run == run and not c.old for c in self.calls.values())

    def next_turn(self, action: str, run: str) -> int:
        """Never the same twice in a study, so that a recording of it can be played."""
        return sum(c.action == action and c.run == run for c in self.calls.values()) + 1

    def elapsed(self, now: float) -> float:
        """Seconds of work: sessions only, not the nights between them."""
        return self.spent + max(0.0, now - self.session)


SIDES = {"plot": "plot.py", "probe": "probes.py"}  # what is run when it has changed, beside the runs
FRESH = ("confirm", "replicate")  # purposes of jobs that add seeds to a run that has results
GOES_ON = ("stopped", "time", "cost")  # ends that the next session goes on from, without new limits


def next_call(state: State, action: str) -> str:
    return f"{len(state.calls) + 1:04d}-{action}"


def put(state: State, run: Run) -> State:
    return replace(state, runs={**state.runs, run.name: run})
