"""The paper phase, really killed: kill -9 of the session at each kind of moment, then `resume`; the same paper comes out.

A study is played up to its first writing reply. There its folder is copied, as a kill would leave it. The one goes on
undisturbed; the other is killed while a reply is awaited, before a stored reply is read, while each LaTeX job is under way,
and between the build and its commit. One part does not pass LaTeX, so that there are two rounds, and it is mended: then, too.

What may differ between the two ends is the appendix's sentence on the model's name and the time of work, and that time in
facts.tex; dates, commit ids and costs are left out as in all stories (world.outcome_of).
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pypdfium2
import pytest

from agent.core import paper
from agent.runners import folder
from tests.stories import test_paper, world
from tests.stories.test_paper import BIB, SKELETON, TEXTS
from tests.stories.world import edits, notes, rate

pytestmark = pytest.mark.slow
MODEL = Path(__file__).with_name("table_model.py")
BAD = "Bad $a_b_c$."
TIMES = (r"\d+ calls of .*?; [^;]*? of work\.", r"\\facts@put\{s:(?:hours|model)\}[^\n]*")
FIRST, AWAITED, MENDED = ("draft", "abstract"), ("refine", "background"), ("mend", "method")
UNREAD = (("draft", "method"), ("draft", "setup"), ("draft", "results"))  # the others if the first comes too late


class World:
    """A folder with results and what its model answers; and sessions of the real program in it."""

    def __init__(self, place):
        self.place = place
        self.calls = place / "calls.txt"
        self.process = self.launcher = None

    def session(self, *words):
        program = f"cmd:{sys.executable} -I {MODEL} {self.place}"
        command = [sys.executable, "-m", "agent", *words, "-m", program, "-o", self.place / "results"]
        self.began = time.time()
        with (self.place / "said.txt").open("a") as said:
            self.process = subprocess.Popen(list(map(str, command)), stdout=said, stderr=subprocess.STDOUT)

    @property
    def root(self):
        return next(iter((self.place / "results").glob("2*")))

    def hold(self, step, on=True):
        path = self.place / f"hold-{step[0]}-{step[1]}"
        path.touch() if on else path.unlink()

    def lines(self, said, step=None):
        """The names of calls of which the model's side says this."""
        told = [line.split() for line in self.calls.read_text().splitlines()] if self.calls.exists() else []
        return [call for what, call, *of in told if what == said and step in (None, tuple(of))]

    def happened(self, kind):
        return [event for event in world.events_of(self.root) if event.type == kind]

    def kill_when(self, condition):
        """kill -9 as soon as it holds."""
        self.wait_for(condition)
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(10) == -signal.SIGKILL

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # it ends its job
            self.process.wait(20)

    def wait_for(self, condition, patience=60.0):
        until = time.monotonic() + patience
        while not condition():
            assert self.process.poll() is None, (self.place / "said.txt").read_text()[-3000:]
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.002)

    def attempt(self, name):
        return self.root.resolve() / ".study" / "attempts" / "paper-try-1" / name

    def under_way(self, name):
        """Whether this session's job of this name was begun."""
        status = folder.read_status(self.attempt(name)) if self.attempt(name).exists() else None
        return status is not None and status.started > self.began


def begin(place):
    """A study that waits for its first writing reply, in a real session."""
    place.mkdir()
    toy = world.template(place / "toy")
    (toy / "latex").mkdir()
    (toy / "latex" / "paper.tex").write_text(SKELETON)
    (toy / "latex" / "references.bib").write_text(BIB)
    texts = {**TEXTS, "results": TEXTS["results"].split("\n\n\\begin{figure}")[0]}
    parts = {part: f"Here it is.\n\n```latex\n{text}\n```\n" for part, text in texts.items()}
    bad = {"method": parts["method"].replace("\n```\n", f"\n\n{BAD}\n```\n")}
    replies = dict.fromkeys(paper.ACTIONS, parts) | {"revise": parts | bad}
    for (action, run, _), reply in (edits(rate(0.05, 0.01)) | {("notes", "run_1", 1): notes("run_1")}).items():
        replies[action] = {run: reply}
    replies |= {"plot": {"plot.py": "ALL_COMPLETED"}}  # of figures there are none, so nothing is read in them
    (place / "replies.json").write_text(json.dumps(replies))
    idea = json.loads((world.TOY / "ideas/iterate_averaging.json").read_text())
    (place / "idea.json").write_text(json.dumps({**idea, "Template": str(toy)}))
    here = World(place)
    here.hold(FIRST)
    here.session("run", place / "idea.json", "--max-runs", 1, "-c", "default_figures=false")
    here.wait_for(lambda: here.lines("asked", FIRST))
    return here


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """The study that nobody killed and the one that was killed at every moment, at their ends."""
    place = tmp_path_factory.mktemp("worlds")
    calm = begin(place / "calm")
    shutil.copytree(calm.place, place / "killed", symlinks=True)
    killed = World(place / "killed")
    try:
        calm.hold(FIRST, False)
        killed.hold(FIRST, False)
        while_written(killed)
        while_built(killed)
        killed.session("resume", "last")
        for here in (calm, killed):
            assert here.process.wait(60) == 0, (here.place / "said.txt").read_text()[-3000:]
    finally:  # nobody else would end them where something above went wrong
        for here in (calm, killed):
            here.end()
    return calm, killed


def while_written(killed):
    killed_while_it_waits(killed, AWAITED)
    assert any(killed_before_it_read(killed, step) for step in UNREAD), "it was killed too late"


def killed_while_it_waits(killed, step):
    killed.hold(step)
    killed.session("resume", "last")
    killed.kill_when(lambda: killed.lines("asked", step))
    killed.hold(step, False)


def killed_before_it_read(killed, step):
    killed.hold(step)
    killed.session("resume", "last")
    killed.wait_for(lambda: killed.lines("asked", step))
    (call,) = killed.lines("asked", step)
    killed.hold(step, False)
    killed.kill_when((killed.root / ".study" / "llm" / f"{call}.json").exists)
    return call not in [event.call for event in killed.happened("part.written")]


def while_built(killed):
    for name in ("round-1", "round-2", *(["style"] if shutil.which("chktex") else []), "pages"):
        assert any(killed_during(killed, name) for _ in range(3)), f"{name} was killed too late"
    killed.session("resume", "last")
    killed.kill_when((killed.root / "latex" / "paper.pdf").exists)
    assert not killed.happened("paper.built"), "it was killed too late"
    killed_while_it_waits(killed, MENDED)


def killed_during(killed, name):
    before = killed.launcher
    killed.session("resume", "last")
    killed.wait_for(lambda: killed.under_way("round-1"))
    assert before is None or not alive(before), "the killed session's job is at work beside the new one's"
    if name == "round-1":
        killed.wait_for(lambda: halted(killed.attempt(name)))  # so that it is there when the next one comes
    killed.kill_when(lambda: killed.under_way(name))
    status = folder.read_status(killed.attempt(name))
    killed.launcher = status.pid
    return status.outcome is None


def halted(attempt):
    """Stop LaTeX where it is, as soon as the job has come to it; launcher and reaper go on."""
    below = psutil.Process(folder.read_status(attempt).pid).children(recursive=True)
    found = []
    for process in below:
        with suppress(psutil.NoSuchProcess):  # it may end while it is looked at
            if "latex" in process.name():
                process.suspend()
                found.append(process)
    return found


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_same_paper_comes_out(ends):
    calm, killed = ends
    texts = [tex_of(here.root) for here in ends]
    assert set(texts[0]) == {"appendix.tex", "facts.tex", "paper.tex"}
    assert texts[0] == texts[1]
    assert without_times(test_paper.text_of(calm.root)) == without_times(test_paper.text_of(killed.root))
    assert pages_of(calm.root) == pages_of(killed.root) > 0
    assert world.outcome_of(calm.root) == world.outcome_of(killed.root)


def test_no_recorded_reply_is_asked_for_again(ends):
    calm, killed = ends
    assert calm.lines("asked") == calm.lines("answered")
    twice = {call for step in (FIRST, AWAITED, MENDED) for call in calm.lines("asked", step)}  # they were under way
    assert Counter(killed.lines("asked")) == Counter([*calm.lines("asked"), *twice])
    assert sorted(killed.lines("answered")) == sorted(calm.lines("answered"))
    steps = [(event.action, event.part) for event in killed.happened("part.written")]
    assert steps[: len(paper.STEPS)] == [(step.action, step.part) for step in paper.STEPS]


def test_journal_and_history_are_whole(ends):
    for here in ends:
        replied = [event.call for event in here.happened("call.replied")]
        assert len(replied) == len(set(replied)) == len(here.lines("answered"))
        assert git(here.root, "status", "--porcelain") == "" and git(here.root, "fsck", "--strict") == ""
    told = [[git(here.root, "log", "--format=%s")] for here in ends]
    assert told[0] == told[1]


def git(root, *words):
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tex_of(root):
    return {path.name: without_times(path.read_text()) for path in (root / "latex").glob("*.tex")}


def without_times(text):
    return re.sub("|".join(TIMES), "", text, flags=re.DOTALL)


def pages_of(root):
    return len(pypdfium2.PdfDocument(root / "latex" / "paper.pdf"))
