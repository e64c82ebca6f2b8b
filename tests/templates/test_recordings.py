"""The recorded studies beside the ideas still play: `make run` begins with them, and a template may change under them."""

import json
import re
from pathlib import Path

import pytest

from agent.core import after_runs, edits, paper
from agent.core.edits import Applied
from agent.core.template import ALWAYS_EDITABLE
from agent.store import catalog

IDEAS = Path(__file__).parents[2] / "ideas"
RECORDINGS = sorted(IDEAS.glob("*.replay.jsonl"))


def steps_of(recording):
    return [json.loads(line) for line in recording.read_text("utf-8").splitlines()]


def template_of(recording):
    idea, _ = catalog.load_idea(str(IDEAS / recording.name.replace(".replay.jsonl", ".json")))
    return catalog.load_template(idea.template)


def test_there_is_a_recording():
    assert RECORDINGS


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_every_edit_applies_to_the_template_as_it_is_now_and_the_last_one_ends_the_experiments(recording):
    loaded = template_of(recording)
    editable = loaded.template.editable
    texts = {name: (loaded.folder / name).read_text("utf-8") for name in editable if (loaded.folder / name).exists()}
    replies = [step["reply"] for step in steps_of(recording) if step["action"] == "edit"]
    for reply in replies:
        applied = edits.apply(edits.parse(reply, texts), texts, creatable=(*editable, *ALWAYS_EDITABLE))
        assert isinstance(applied, Applied), applied
        texts |= applied.files
        compile(texts["experiment.py"], "experiment.py", "exec")
    assert "\nALL_COMPLETED\n" in replies[-1]


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_every_part_of_the_paper_is_answered_once_and_fits_into_the_template_s_skeleton(recording):
    skeleton = (template_of(recording).folder / "latex" / "paper.tex").read_text("utf-8")
    steps = [step for step in steps_of(recording) if step["action"] in paper.ACTIONS]
    assert [(step["action"], step["run"], step["turn"]) for step in steps] == [
        (s.action, s.part, 1) for s in paper.STEPS
    ]
    for step in steps:
        told = paper.told(step["reply"], step["run"])
        assert not isinstance(told, str), (step["action"], step["run"], told)
        for part, text in told.items():
            skeleton = paper.with_part(skeleton, part, text)
    assert "\\placeholder{" not in skeleton.split("\\begin{document}")[1]


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_figures_and_the_notes_on_them_are_answered_once_and_apply(recording):
    texts = {"plot.py": (template_of(recording).folder / "plot.py").read_text("utf-8")}
    steps = [step for step in steps_of(recording) if step["action"] in after_runs.TURNS]
    assert [(step["action"], step["turn"]) for step in steps] == [("plot", 1), ("figures", 1)]
    for step in steps:
        applied = edits.apply(edits.parse(step["reply"], texts), texts, creatable=("plot.py", *ALWAYS_EDITABLE))
        assert isinstance(applied, Applied), applied
        texts |= applied.files
    compile(texts["plot.py"], "plot.py", "exec")
    drawn = {f"{name}.png" for name in re.findall(r'keep\(figure, "(\w+)"\)', texts["plot.py"])}
    assert drawn and all(name in texts["notes/figures.txt"] for name in drawn)
