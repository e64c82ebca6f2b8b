"""A log as a case of triage."""

from __future__ import annotations

from agent.core.case import Case
from agent.core.job import Outcome
from tests.logs import ROOT, Log


def case_of(log: Log) -> Case:
    about = log.about
    texts: dict[str, str] = about["edit"]
    return Case(
        Outcome(about["ending"], "experiment", about["exit_code"], about["signal"], detail=about["detail"]),
        log.stdout,
        log.stderr,
        problems=("run_1/final_info.json was not written",) if about["exit_code"] == 0 else (),
        seconds_allowed=600.0,
        editable=texts.__contains__,
        sources=lambda name: texts.get(name, ""),
        root=ROOT,
        template=about["template"],
        baseline=about["baseline"],
        network=about["network"],
    )
