"""What a study would do, before anything is made or paid for: runs, time, GPU hours, dollars. Pure arithmetic.

"At most" follows from the limits. "About" is a guess from what was seen: a study of ten runs has about fifteen edit
requests (repairs among them), and a reply of about 1,200 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.config import Settings
from agent.core.price import Price
from agent.core.template import Profile
from agent.core.text import duration, plural

_CALLS_A_RUN = 1.5
_JOBS_A_RUN = 1.6  # 1.3 attempts, and one in three is measured on fresh seeds
_REPLY = 1_200  # tokens
_FRAME = 8_000  # characters of rules, idea, results and notes around the files
_CHARACTERS = 3.2  # a token, for code


@dataclass(frozen=True)
class Forecast:
    baselines: int
    runs: int
    attempts: int  # of a run, at most
    job_seconds: float | None  # of a baseline that was measured on this machine before
    timeout: float  # of a job
    seconds: float | None  # about; None: nothing to guess from
    longest_seconds: float
    gpus: int
    calls: float  # about
    prompt_tokens: float  # of a call, about
    dollars: float | None  # about; None: unknown price
    most_dollars: float | None  # None: no limit

    @property
    def gpu_hours(self) -> tuple[float | None, float]:
        about = None if self.seconds is None else self.gpus * self.seconds / 3600
        return about, self.gpus * self.longest_seconds / 3600


def forecast(
    settings: Settings,
    profile: Profile,
    baselines: int,
    characters: int,
    price: Price | None,
    job_seconds: float | None,
) -> Forecast:
    """`characters`: of the files that each prompt shows. `price`: free is a price of nothing."""
    jobs = (
        baselines + 1 + settings.max_runs * (settings.attempts_per_run + 1)
    )  # fresh seeds of each run and the baseline
    longest = jobs * profile.timeout
    if settings.max_time is not None:
        longest = min(longest, settings.max_time)
    guessed = None if job_seconds is None else (baselines + settings.max_runs * _JOBS_A_RUN) * job_seconds
    calls = settings.max_runs * _CALLS_A_RUN + 1 if settings.max_runs else 0
    prompt = (characters + _FRAME) / _CHARACTERS
    usage = {"prompt_tokens": int(calls * prompt), "completion_tokens": int(calls * _REPLY)}
    dollars = None if price is None else price.cost(usage)
    if dollars is not None and settings.max_cost is not None:
        dollars = min(dollars, settings.max_cost)
    free = price is not None and not (price.input or price.output)
    return Forecast(
        baselines=baselines,
        runs=settings.max_runs,
        attempts=settings.attempts_per_run,
        job_seconds=job_seconds,
        timeout=profile.timeout,
        seconds=None if guessed is None else min(guessed, longest),
        longest_seconds=longest,
        gpus=profile.limits.gpus,
        calls=calls,
        prompt_tokens=prompt,
        dollars=dollars,
        most_dollars=0.0 if free else settings.max_cost,
    )


def lines(plan: Forecast, settings: Settings) -> list[tuple[str, str]]:
    runs = f"{plural(plan.baselines, 'baseline')}, then up to {plural(plan.runs, 'run')} of up to {plural(plan.attempts, 'attempt')}"
    return [("Runs", runs), ("Time", _time(plan, settings)), ("GPU hours", _gpu(plan)), ("Dollars", _dollars(plan))]


def _time(plan: Forecast, settings: Settings) -> str:
    limit = "--max-time" if plan.longest_seconds == settings.max_time else f"{duration(plan.timeout)} a job"
    most = f"at most {duration(plan.longest_seconds)} ({limit})"
    if plan.seconds is None or plan.job_seconds is None:
        return f"{most}; nothing was measured on this machine yet"
    return f"about {duration(plan.seconds)} (a baseline took {duration(plan.job_seconds)} here), {most}; replies come on top"


def _gpu(plan: Forecast) -> str:
    about, most = plan.gpu_hours
    if not plan.gpus:
        return "none"
    return (f"about {about:.1f}, " if about is not None else "") + f"at most {most:.1f} ({plural(plan.gpus, 'GPU')})"


def _dollars(plan: Forecast) -> str:
    if plan.most_dollars == 0.0:
        return "none: this model costs nothing here"
    most = "no limit" if plan.most_dollars is None else f"at most ${plan.most_dollars:,.2f} (--max-cost)"
    if plan.dollars is None:
        return f"not known; {most}"
    tokens = f"{plan.calls:.0f} calls of about {plan.prompt_tokens:,.0f} tokens in and {_REPLY:,} out"
    return f"about ${plan.dollars:,.2f} ({tokens}), {most}"
