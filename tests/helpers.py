"""Builders that several tests share: events in a row, and a state made of them."""

from dataclasses import replace

from agent.core import events as e
from agent.core.comparison import Comparison
from agent.core.config import Settings
from agent.core.fold import apply, fold
from agent.core.state import State
from agent.core.template import Template

HEAD = "a" * 40


def entries(*happened, start=1000.0, step=1.0):
    """Journal entries of these events, `step` seconds apart."""
    return [e.Entry(v=e.VERSION, seq=i, at=start + step * i, event=event) for i, event in enumerate(happened, 1)]


def created(baselines=("run_0",), prefetch="", smoke=False, parts=(), plots=False):
    return e.StudyCreated(name="s", version="1", head=HEAD, profile="tiny", template_sha256="0", baselines=baselines,
                          prefetch=prefetch, smoke=smoke, parts=parts, plots=plots)  # fmt: skip


def opened(reopen=False, **settings):
    """A session that draws no default figures, unless `settings` say so: few tests are about them."""
    return e.StudyOpened(version="1", settings=Settings(**{"default_figures": False, **settings}), reopen=reopen)


def accepted(run, attempt=1, mean=1.0, **more):
    metrics = more.pop("metrics", {"fit.mse": {"mean": mean, "stderr": 0.1, "n": 3}})
    return e.RunAccepted(run=run, attempt=attempt, head=more.pop("head", HEAD), metrics=metrics, **more)


def launched(run, attempt=1, purpose="run", head=HEAD):
    return e.RunLaunched(run=run, attempt=attempt, head=head, seeds=(0,), purpose=purpose)


def ended(run, attempt=1, ending="finished", exit_code=0):
    return e.RunEnded(run=run, attempt=attempt, outcome={"ending": ending, "exit_code": exit_code})


def failed(run, attempt=1, blame="code", feedback="mend it", evidence="ValueError"):
    return e.RunFailed(run=run, attempt=attempt, blame=blame, evidence=evidence, feedback=feedback)


def compared(run, verdict="within noise", stage="screen"):
    found = Comparison(run=run, reference="run_0", stage=stage, primary="fit.mse", verdict=verdict, why="so it is")
    return e.RunCompared(run=run, stage=stage, comparison=found.to_json())


def asked(call, run, turn=1, action="edit"):
    return e.CallAsked(call=call, action=action, run=run, turn=turn, model="m", prompt_sha256="0")


def replied(call):
    return e.CallReplied(call=call, model="m", reply_sha256="0")


def committed(call, run, starts_run=True, files=("experiment.py",), **more):
    return e.EditCommitted(call=call, run=run, head=HEAD, files=files, starts_run=starts_run, summary="Try it", **more)


def rejected(call, run, *problems):
    return e.EditRejected(call=call, run=run, problems=problems or ("no block",))


def ready(*more, smoke=False, parts=(), plots=False, **settings):
    """A state at the point where the coder is asked for run_1: baseline measured, plan frozen; then `more`."""
    plan = e.PlanFrozen(plan={"primary": "fit.mse", "max_runs": 10}, sha256="0")
    start = created(smoke=smoke, parts=parts, plots=plots)
    return fold(entries(start, opened(**settings), accepted("run_0", 0, 2.0), plan, *more))


def after(state, *happened):
    for event in happened:
        state = apply(state, e.Entry(v=1, seq=state.seq + 1, at=state.last + 1, event=event))
    return state


def good_run(number, call=None, judged=True, **more):
    """The events of a run that goes well at once."""
    name, call = f"run_{number}", call or f"{number:04d}-edit"
    return (
        asked(call, name), replied(call), committed(call, name), launched(name), ended(name),
        accepted(name, **more), e.WorkspaceSettled(head=HEAD), *([compared(name)] if judged else []),
    )  # fmt: skip


def template(**changes):
    """A small template; `changes` are keys of template.toml."""
    return Template.model_validate({
        "name": "toy", "command": "python experiment.py --out_dir={out_dir}", "editable": ["experiment.py", "plot.py"],
        **changes,
    })  # fmt: skip


def state(**fields):
    return replace(State(), **fields)
