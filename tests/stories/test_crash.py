"""A crash before, inside and after every journal append: the next session reaches the same end, and does nothing twice."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest

from agent.core import events
from agent.core.config import Settings
from agent.core.prompt import NoReply
from agent.steps import build
from agent.store.journal import Journal
from tests.stories import world
from tests.stories.world import Script, block, edits, new_file, notes, rate

pytestmark = pytest.mark.timeout(300)  # the first one plays all studies
EVERY_KIND = [kind.model_fields["type"].default for kind in get_args(events.Event)]
LEDGER = 'open(os.environ["HOME"] + "/../../../executions", "a").write(out_dir + "\\n")\n    fits = {}'
FETCH = """
def fetch():
    done = open(".study/executions", "a")
    done.write("fetch\\n")
    if done.tell() < len("fetch fetch "):
        raise ConnectionError("no route")
    return {"points": "r1"}
"""
PROBES = """
import json, os, sys
runs = {run: {"one": {"mean": 1.0}} for run in os.environ["AI_SCIENTIST_RUNS"].split(",")}
open(sys.argv[1].removeprefix("--out_dir=") + "/probes.json", "w").write(json.dumps({"runs": runs}))
"""
STEPS = '    steps = config["epochs"] * len(points)'
BROKEN = block(STEPS, STEPS.replace("config", "confg"))
REPAIR = block(STEPS.replace("config", "confg"), STEPS) + block('    "epochs": 3,', '    "epochs": 2,')


DRAWS = """labels = {"run_0": "baseline", "run_1": "mine"}
pathlib.Path("own.png").write_text("no image, but called one")
"""


def _raise(number):
    return f"    fits = {{}}\n    raise ValueError({number})"


def _part(text):
    return f"```latex\n{text}\n```\n"


PAPER = "\\title{\\placeholder{T}}\n\\begin{document}\n\\begin{abstract}\n\\placeholder{A}\n\\end{abstract}\n\\end{document}\n"


@pytest.fixture(scope="module", autouse=True)
def _no_latex_and_no_disk():
    """What LaTeX makes of a paper takes seconds, and is the same after a crash: only the steps around it are crashed.

    A crash is a copy of the folder here, so nothing has to reach the disk.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "lacking", lambda: ("latexmk",))
        for flush in ("fsync", "fdatasync"):
            patch.setattr(os, flush, lambda descriptor: None)
        yield


# Short studies that have everything in them: (settings, replies, how they end).
STUDIES = {
    "rejected, kept, idle, completed": (
        {"max_runs": 2},
        edits(
            [
                "nothing useful here",
                rate(0.05, 0.02) + block("no such line", "x"),
                "Again.\n" + block('    "epochs": 3,', '    "epochs": 4,'),
            ],
            [notes("run_1"), "Nothing is left.\n" + new_file("notes/run_1.txt", "again") + "ALL_COMPLETED"],
        )
        | {("edit", "run_2", 2): "Nothing is left.\nALL_COMPLETED"},
        (0, "the coder has nothing more to try"),
    ),
    "failing, repaired, rebased, notes at the end": (
        {"max_runs": 2},
        edits(
            ["Break it.\n" + BROKEN, "Repair it.\n" + REPAIR],
            ["BASE: run_1", "BASE: run_0\n" + rate(0.05, 0.01) + notes("run_1")],
        )
        | {("notes", "run_2", 1): "no blocks", ("notes", "run_2", 2): "Here.\n" + notes("run_2")},
        (0, "the limit of 2 runs is reached"),
    ),
    "refused, closed": (
        {"max_runs": 1, "attempts_per_run": 2, "retry_wait": 0.01},
        edits(["ALL_COMPLETED", "Raise.\n" + block("    fits = {}", _raise(1)), "Raise again.\n" + block(_raise(1), _raise(2))])
        | {("edit", "run_1", 1, "first"): NoReply("cut", "the line broke")},
        (1, "the limit of 1 run is reached; no run gave a usable result"),
    ),
    "smoke runs, a wish": (
        {"max_runs": 1},
        edits(["Probe it.\n" + new_file("probes.py", "x = 1") + block("import json", "import json\n1 / 0", "plot.py"),
               "REQUEST: a larger machine\n\nBreak it.\n" + BROKEN + block("1 / 0", "", "plot.py"),
               "Repair it.\n" + REPAIR])
        | {("notes", "run_1", 1): notes("run_1")},
        (0, "the limit of 1 run is reached"),
    ),
    "better, confirmed, replicated": (
        {"max_runs": 2},
        edits(rate(0.0005, 0.00049), ["REPLICATE: run_1 seeds=2", rate(0.00049, 0.02)])
        | {("notes", "run_2", 1): notes("run_1") + notes("run_2")},
        (0, "the limit of 2 runs is reached"),
    ),
    "paper of two parts": (
        {"max_runs": 1},
        edits(rate(0.05, 0.02))
        | {("notes", "run_1", 1): notes("run_1"), ("plot", "plot.py", 1): "ALL_COMPLETED", ("draft", "abstract", 1): _part("We have 0.5."), ("draft", "abstract", 2): _part("So."),
           ("refine", "abstract", 1): _part("So it is."), ("revise", "title", 1): _part("\\title{T}"), ("revise", "abstract", 1): _part("S.")},
        (0, "the limit of 1 run is reached"),
    ),
    "figures of the paper, drawn and read": (
        {"max_runs": 1},
        edits(rate(0.05, 0.02))
        | {("notes", "run_1", 1): notes("run_1"),
           ("plot", "plot.py", 1): block('labels = {"run_0": "baseline"}', DRAWS, "plot.py"),
           ("figures", "figures", 1): new_file("notes/figures.txt", "Of none."),
           ("figures", "figures", 2): new_file("notes/figures.txt", "own.png: so it is."),
           ("revise", "title", 1): _part("\\title{T}")},
        (0, "the limit of 1 run is reached"),
    ),
    "figures of the paper, spoilt and taken back": (
        {"max_runs": 1},
        edits(rate(0.05, 0.02))
        | {("notes", "run_1", 1): notes("run_1"),
           ("plot", "plot.py", 1): block('labels = {"run_0": "baseline"}', f"{DRAWS}\n1 / 0", "plot.py") + block("no such line", "x", "plot.py"),
           ("plot", "plot.py", 2): block("1 / 0", "2 / 0", "plot.py"),
           ("plot", "plot.py", 3): "ALL_COMPLETED",
           ("revise", "title", 1): _part("\\title{T}")},
        (0, "the limit of 1 run is reached"),
    ),
    "data that comes at the second try, too dear": (
        {"max_runs": 1, "max_cost": 1.0, "retry_wait": 0.01},
        {"worst": 0.8},
        (3, "the cost limit of $1.00 is reached: the next call may cost $0.8000, and $0.7000 is left for experiments;"
            " the rest is kept for notes and paper"),
    ),
}  # fmt: skip


def _start(place, name):
    toy = world.template(
        place / "toy",
        experiment__py=lambda text: text.replace("fits = {}", LEDGER).replace(
            "0.05", "0.0005" if name.startswith("better") else "0.05"
        ),
        template__toml=lambda text: text.split("[[baselines]]")[0] + '[[baselines]]\nname = "sgd"\n',
    )
    if name.startswith("smoke"):
        toml = toy / "template.toml"
        text = toml.read_text().replace('timeout = "20s"', 'timeout = "20s"\nsmoke = { timeout = "20s" }')
        text = text.replace(
            '"plot.py"]', '"plot.py", "probes.py"]\nprobe = "python harness/probes.py --out_dir={out_dir}"'
        )
        toml.write_text(text)
        (toy / "harness/probes.py").write_text(PROBES)
    if name.startswith("paper"):
        (toy / "latex").mkdir()
        (toy / "latex/paper.tex").write_text(PAPER)
    if name.startswith("figures"):
        (toy / "latex").mkdir()
        (toy / "latex/paper.tex").write_text("\\title{\\placeholder{T}}\n")
    if name.startswith("data"):
        toml = toy / "template.toml"
        toml.write_text(toml.read_text() + '\n[environment]\nprefetch = "harness/data.py:fetch"\n')
        (toy / "harness/data.py").write_text(FETCH)
    return world.start(place, folder=toy, **STUDIES[name][0])


@dataclass
class Recording:
    """A study that was played to its end, with a copy of its folder at each append, as a crash at that moment would leave it."""

    study: Path
    settings: Settings
    points: list[tuple[Path, bytes]] = field(default_factory=list)
    crashed: list[int] = field(default_factory=list)  # the points at which it is

    def replay(self, name):
        return world.go(
            self.study, Script(STUDIES[name][1], ledger=self.study / ".study" / "asked"), self.settings
        ).exit_code


def _record(place, name):
    root, settings = _start(place, name)
    made, write = Recording(root, settings), Journal._write

    def spy(journal, line):
        made.points.append((_copy(root.parent, place / "copies" / f"{len(made.points):03d}") / root.name, line))
        write(journal, line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "_write", spy)
        stop = world.go(root, Script(STUDIES[name][1], ledger=root / ".study" / "asked"), settings)
    assert (stop.exit_code, stop.why) == STUDIES[name][2]
    return made


def _copy(folder, target):
    """git's objects are never written twice, so they need no copies."""

    def copy(source, to):
        (os.link if "/.git/objects/" in source else shutil.copy2)(source, to)

    return Path(shutil.copytree(folder, target, symlinks=True, copy_function=copy))


SAMPLE = 8  # of the points that are like earlier ones, one in so many


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """All studies; what is crashed of each: every append that follows on another as in no study before, and a sample."""
    made, known = {}, set()
    for name in STUDIES:
        made[name] = _record(tmp_path_factory.mktemp("study"), name)
        before = ()
        for number, (_, line) in enumerate(made[name].points):
            if (before, kind := _kind(line)) not in known or number % SAMPLE == 0:
                made[name].crashed.append(number)
            known.add((before, kind))
            before = kind
    return made


def _kind(line):
    """What sort of event it is: of which action, by whose fault … but of which run and at which turn, no matter."""
    event = json.loads(line)
    call = event.get("call", "").partition("-")[2]
    return event["type"], call, *(event.get(key) for key in ("purpose", "stage", "blame", "kind", "what"))


@pytest.mark.parametrize("name", STUDIES)
def test_a_crash_at_any_append_changes_nothing_about_the_end(recordings, name):
    made = recordings[name]
    study = made.study
    expected = [STUDIES[name][2][0], *_end_of(study)]
    wrong, known = {}, {}
    for number in made.crashed:
        crashed, line = made.points[number]
        seen = {}
        for where, written in (("before", b""), ("inside", line[: len(line) // 2]), ("after", line)):
            shutil.rmtree(study.parent)
            _copy(crashed.parent, study.parent)
            with (study / ".study" / "journal.jsonl").open("ab") as journal:
                journal.write(written)
            if where == "inside":  # the next writer cuts the torn line off ...
                Journal(study / ".study" / "journal.jsonl", time.time).close()
            same = seen[where] = _bytes_of(study)
            if same not in known:  # ... and from the same bytes on disk the same follows
                known[same] = _differences([made.replay(name), *_end_of(study)], expected)
            if known[same]:
                wrong[number, where, line[:90]] = known[same]
        assert seen["inside"] == seen["before"] != seen["after"]
    assert not wrong
    assert len(known) > len(made.crashed)


def test_every_kind_of_event_is_among_those_at_which_a_study_is_crashed(recordings):
    crashed = {json.loads(made.points[n][1])["type"] for made in recordings.values() for n in made.crashed}
    human = {kind for kind in EVERY_KIND if kind.startswith("human.")} | {"plan.deviated"}
    assert set(EVERY_KIND) - human <= crashed | {EVERY_KIND[0]}
    points = sum(len(made.points) for made in recordings.values())
    assert points / 3 < sum(len(made.crashed) for made in recordings.values()) < points


def _end_of(root):
    return [world.outcome_of(root), _lines(root, "executions"), _lines(root, "asked")]


def _bytes_of(root):
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in (".git/index", ".study/lock") and not name.startswith(".git/logs"):
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _lines(root: Path, name: str) -> list[str]:
    path = root / ".study" / name
    return path.read_text().splitlines() if path.exists() else []


def _differences(found, expected, path=""):
    """Where two nested values differ, for a readable failure."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return [d for k in {*found, *expected} for d in _differences(found.get(k), expected.get(k), f"{path}.{k}")]
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [
            d for i, (a, b) in enumerate(zip(found, expected, strict=True)) for d in _differences(a, b, f"{path}[{i}]")
        ]
    return [] if found == expected else [f"{path}: {str(found)[-300:]!r} instead of {str(expected)[-300:]!r}"]


@pytest.mark.parametrize("answer", ["take", "stash"])
def test_a_crash_while_a_persons_edit_is_answered_loses_nothing(tmp_path, answer, monkeypatch):
    root, settings = world.start(tmp_path, max_runs=1)
    mine = (root / "experiment.py").read_text() + "# mine\n"
    (root / "experiment.py").write_text(mine)
    replies = edits([rate(0.05, 0.02)]) | {("notes", "run_1", 1): notes("run_1")}
    assert world.go(root, Script(replies), settings).exit_code == 5
    points, write = [], Journal._write

    def spy(journal, line):
        points.append((_copy(root, tmp_path / f"copy-{len(points)}"), line))
        write(journal, line)

    monkeypatch.setattr(Journal, "_write", spy)
    assert world.go(root, Script(replies), **{answer: True}).exit_code == 0
    monkeypatch.setattr(Journal, "_write", write)
    expected, marked = world.outcome_of(root), "# mine" in (root / "experiment.py").read_text()
    assert marked == (answer == "take")
    answered = next(
        n for n, (_, line) in enumerate(points) if f"human.{'took' if answer == 'take' else 'stashed'}".encode() in line
    )
    known = set()
    for copy, line in points[: answered + 3]:
        for written in (b"", line[: len(line) // 2], line):
            shutil.rmtree(root)
            shutil.rmtree(root.parent / ".cache")  # nothing was measured yet at these points
            _copy(copy, root)
            with (root / ".study" / "journal.jsonl").open("ab") as journal:
                journal.write(written)
            if (same := _bytes_of(root)) in known:
                (root.parent / ".cache").mkdir()
                continue
            known.add(same)
            assert world.go(root, Script(replies), **{answer: True}).exit_code == 0
            assert _differences(world.outcome_of(root), expected) == []
            saved = next(e.saved for e in world.events_of(root) if e.type == "human.edited")
            kept = subprocess.run(["git", "show", f"{saved}:experiment.py"], cwd=root, capture_output=True, text=True)
            assert kept.stdout == mine
    assert len(known) > 2 * (answered + 3)


def test_a_study_that_is_moved_after_a_crash_runs_in_its_new_place(tmp_path, monkeypatch):
    toy = world.template(tmp_path / "toy", experiment__py=lambda text: text.replace("fits = {}", LEDGER))
    root, settings = world.start(tmp_path, folder=toy, max_runs=1)
    replies = edits([rate(0.05, 0.02)]) | {("notes", "run_1", 1): notes("run_1")}
    write = Journal._write

    def crash(journal, line):
        write(journal, line)
        if b'"run.launched", "run": "run_1"' in line:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        world.go(root, Script(replies), settings)
    monkeypatch.setattr(Journal, "_write", write)
    moved = root.rename(tmp_path / "elsewhere")
    assert world.go(moved, Script(replies)).exit_code == 0
    assert _lines(moved, "executions") == ["run_0", "run_0_zero", "run_1"]
    assert not root.exists()
