"""A small world for stories: the toy template, scripted replies, and ways to look at what came out."""

import json
import shutil
import time
from pathlib import Path

from agent import session
from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.fold import fold
from agent.core.prompt import Bill, Reply
from agent.loop import record_all, work
from agent.report.record import record
from agent.steps import human, setup
from agent.store import catalog, journal

TOY = Path(__file__).parents[1] / "toy"


def block(search, replace, file="experiment.py"):
    return f"{file}\n```python\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n```\n"


def new_file(file, text):
    return f"{file}\n```\n<<<<<<< SEARCH\n=======\n{text}\n>>>>>>> REPLACE\n```\n"


def rate(old, new, words="Change the learning rate."):
    return f"{words}\n\n" + block(f'    "learning_rate": {old},', f'    "learning_rate": {new},')


def notes(run, text=None):
    return new_file(f"notes/{run}.txt", text or f"What {run} showed: \\fact{{{run}.fit.test_mse}}.")


class Script:
    """A model that answers from a list of (action, run, turn) → reply and writes down what it was asked.

    A NoReply under (action, run, turn, "first") is how the first try of that call ends, by the ledger; "worst" is what
    each call may cost at most.
    """

    def __init__(self, replies, ledger=None, before_reply=None):
        self.name = "script"
        self.replies = dict(replies)
        self.asked = []
        self.prompts = []
        self.ledger = ledger
        self.before_reply = before_reply

    def worst(self, prompt):
        return Bill({}, self.replies.get("worst", 0.0))

    def complete(self, prompt, pulse):
        key = (prompt.action, prompt.run, prompt.turn)
        self.asked.append(key)
        self.prompts.append(prompt)
        trouble = self.replies.get((*key, "first"))
        if trouble and f"{prompt.call}\n" not in (self.ledger.read_text() if self.ledger.exists() else ""):
            self._write(prompt)
            return trouble
        if self.ledger:
            self._write(prompt)
        if self.before_reply:
            self.before_reply(prompt)
        pulse()
        if key not in self.replies:
            raise InputProblem(f"the script has no reply to {key}")
        return Reply(self.replies[key], self.name, {"prompt_tokens": 7})

    def _write(self, prompt):
        with self.ledger.open("a") as lines:
            lines.write(f"{prompt.call}\n")


def edits(*replies):
    """Replies to the edit requests of run_1, run_2 …; a list stands for the turns of one run."""
    script = {}
    for number, turns in enumerate(replies, 1):
        for turn, reply in enumerate([turns] if isinstance(turns, str) else turns, 1):
            script["edit", f"run_{number}", turn] = reply
    return script


def template(folder, **changes):
    """A copy of the toy template; `changes` map a file's name (dots as __) to its new text or to a function of the old."""
    shutil.copytree(TOY / "template", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, change in changes.items():
        path = folder / name.replace("__", ".")
        path.write_text(change(path.read_text()) if callable(change) else change)
    return folder


def start(place, results=None, now=time.time, folder=None, idea=None, **settings):
    """A new study; returns its root. Default figures take seconds: they are drawn in the stories that are about them."""
    loaded = catalog.load_template(str(folder or TOY / "template"))
    fields = idea or json.loads((TOY / "ideas" / "iterate_averaging.json").read_text())
    results = results or place / "results"
    settings = Settings.model_validate(
        {"results": str(results), "executor": "inline", "default_figures": False, **settings}
    )
    from agent.core.idea import parse_idea

    root = setup.create(parse_idea(fields, "idea"), loaded, settings, now)
    return root, settings


def go(
    root, model, settings=None, now=time.time, take=False, stash=False, reopen=False, interrupted=lambda: False, **given
):
    """One session with a study; returns how it stopped."""
    given = {**(settings.model_dump() if settings else {}), **given}
    outside = {"now": now, "tell": lambda *a: None, "model": model, "interrupted": interrupted}
    with session.opened(root, given, reopen, **outside) as desk:
        record_all(desk, human.answer(desk, take, stash))
        return work(desk)


def state_of(root):
    return fold(journal.read(root / ".study" / "journal.jsonl"))


def events_of(root):
    return [entry.event for entry in journal.read(root / ".study" / "journal.jsonl")]


_OF_TIMES = (
    ".git/",
    ".study/",
    "run_",
    "README.md",
    "config.toml",
    "latex/facts.tex",
    "latex/appendix.tex",
    "latex/paper.pdf",
)


def outcome_of(root):
    """All that must not depend on crashes: times, commit ids and costs left out."""
    state, _, found = catalog.look(root)
    told = record(state, found)
    for key in ("name", "head", "seconds", "cost"):  # a crash while a call is under way costs one more try
        told.pop(key)
    told["interventions"] = [item["what"] for item in told["interventions"]]
    for run in told["runs"]:
        run.pop("head"), run.pop("seconds"), run.pop("cost")
        run["metrics"] = {key: value for key, value in run["metrics"].items() if not key.startswith("training.")}
        for stage in ("comparison", "screened"):
            found = run[stage] or {}
            found["differences"] = [d for d in found.get("differences", ()) if not d["metric"].startswith("training.")]
        run["attempts"] = [{**a, "head": ""} for a in run["attempts"]]
        if run["source"].startswith("measured in"):
            run["source"] = "measured"
    files = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith(_OF_TIMES):
            files[name] = "".join(
                x for x in path.read_text().splitlines(True) if not x.startswith(("training.seconds", "cost: "))
            )
    calls = [(c.name, c.action, c.run, c.turn) for c in state.calls.values()]
    return {"record": told, "files": files, "calls": calls, "noted": sorted(state.noted), "ended": state.ended}
