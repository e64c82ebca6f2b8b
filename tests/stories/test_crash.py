"""A crash before, inside and after every journal append: the next session reaches the same end, and does nothing twice."""

import hashlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import get_args

import pytest

from agent.core import events
from agent.core.prompt import NoReply
from agent.steps import build
from agent.store.journal import Journal
from tests.stories import world
from tests.stories.world import Script, block, edits, new_file, notes, rate

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


@pytest.fixture(autouse=True)
def _no_latex(monkeypatch):
    """What LaTeX makes of a paper takes seconds, and is the same after a crash: only the steps around it are crashed."""
    monkeypatch.setattr(build, "lacking", lambda: ("latexmk",))


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


def _record(place, name):
    """Play a study, and copy its folder at each append, as a crash at that moment would leave it."""
    _, replies, end = STUDIES[name]
    root, settings = _start(place, name)
    points, write = [], Journal._write

    def spy(journal, line):
        copy = place / "copies" / f"{len(points):03d}"
        shutil.copytree(root.parent, copy, symlinks=True)
        points.append((copy / root.name, line))
        write(journal, line)

    Journal._write = spy
    try:
        stop = world.go(root, Script(replies, ledger=root / ".study" / "asked"), settings)
    finally:
        Journal._write = write
    assert (stop.exit_code, stop.why) == end
    return root, points, settings


@pytest.mark.parametrize("half", ["first half", "second half"])
@pytest.mark.parametrize("name", STUDIES)
def test_a_crash_at_any_append_changes_nothing_about_the_end(tmp_path, name, half):
    study, points, settings = _record(tmp_path, name)
    expected = [STUDIES[name][2][0], *_end_of(study)]
    wrong, known, seen = {}, {}, {}
    middle = len(points) * 2 // 5  # the later ones have less left to do
    mine = range(middle) if half == "first half" else range(middle, len(points))
    for number in mine:
        crashed, line = points[number]
        for where, written in (("before", b""), ("inside", line[: len(line) // 2]), ("after", line)):
            shutil.rmtree(study.parent)
            shutil.copytree(crashed.parent, study.parent, symlinks=True)
            with (study / ".study" / "journal.jsonl").open("ab") as journal:
                journal.write(written)
            if where == "inside":  # the next writer cuts the torn line off ...
                Journal(study / ".study" / "journal.jsonl", time.time).close()
            same = _bytes_of(study)
            if same not in known:  # ... and from the same bytes on disk the same follows
                stop = world.go(study, Script(STUDIES[name][1], ledger=study / ".study" / "asked"), settings)
                known[same] = _differences([stop.exit_code, *_end_of(study)], expected)
            seen[number, where] = same
            assert seen[number, where if where == "after" else "before"] == same
            if known[same]:
                wrong[number, where, line[:90]] = known[same]
    assert not wrong
    assert len(known) > len(mine)


def test_the_studies_that_are_crashed_have_every_kind_of_event_in_them(tmp_path):
    kinds = set()
    for number, name in enumerate(STUDIES):
        root, settings = _start(tmp_path / str(number), name)
        world.go(root, Script(STUDIES[name][1], ledger=root / ".study" / "asked"), settings)
        kinds |= {event.type for event in world.events_of(root)}
    human = {kind for kind in EVERY_KIND if kind.startswith("human.")} | {"plan.deviated"}
    assert set(EVERY_KIND) - human <= kinds


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
        points.append((tmp_path / f"copy-{len(points)}", line))
        shutil.copytree(root, points[-1][0], symlinks=True)
        write(journal, line)

    monkeypatch.setattr(Journal, "_write", spy)
    assert world.go(root, Script(replies), **{answer: True}).exit_code == 0
    monkeypatch.setattr(Journal, "_write", write)
    expected, marked = world.outcome_of(root), "# mine" in (root / "experiment.py").read_text()
    assert marked == (answer == "take")
    answered = next(
        n for n, (_, line) in enumerate(points) if f"human.{'took' if answer == 'take' else 'stashed'}".encode() in line
    )
    for copy, line in points[: answered + 3]:
        for written in (b"", line[: len(line) // 2], line):
            shutil.rmtree(root)
            shutil.rmtree(root.parent / ".cache")  # nothing was measured yet at these points
            shutil.copytree(copy, root, symlinks=True)
            with (root / ".study" / "journal.jsonl").open("ab") as journal:
                journal.write(written)
            assert world.go(root, Script(replies), **{answer: True}).exit_code == 0
            assert _differences(world.outcome_of(root), expected) == []
            saved = next(e.saved for e in world.events_of(root) if e.type == "human.edited")
            kept = subprocess.run(["git", "show", f"{saved}:experiment.py"], cwd=root, capture_output=True, text=True)
            assert kept.stdout == mine


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
