import json
import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.config import Settings
from agent.core.errors import InputProblem, ReplayMiss
from agent.core.prompt import Prompt, Reply
from agent.llm.choose import choose
from agent.llm.replay import ReplayModel, recording
from tests.stories import world

STEPS = [
    {"step": 1, "action": "edit", "run": "run_1", "turn": 1, "reply": "first", "usage": {"prompt_tokens": 5}},
    {"step": 2, "action": "edit", "run": "run_1", "turn": 2, "reply": "second"},
    {"step": 3, "action": "notes", "run": "run_1", "turn": 1, "reply": "third", "prompt_sha256": "0", "usage": {}},
]


def prompt(action="edit", run="run_1", turn=1, text="x"):
    return Prompt(f"0001-{action}", action, run, turn, "stable", (("a.py", "x = 1\n"),), text)


def play(path, steps):
    path.write_text("".join((step if isinstance(step, str) else json.dumps(step)) + "\n" for step in steps), "utf-8")
    return ReplayModel(path)


def ask(model, *where, text="x"):
    return model.complete(prompt(*where, text=text), lambda: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.replay.jsonl"


def test_replies_are_found_by_action_run_and_turn_in_any_order(path):
    shuffled = random.Random(1).sample(STEPS, 3)
    model = play(path, [shuffled[0], "", shuffled[1], shuffled[2]])
    assert ask(model, "notes", "run_1", 1).text == "third"
    assert ask(model, "edit", "run_1", 2).text == "second"
    assert ask(model, "edit", "run_1", 1, text="worded otherwise") == Reply(
        "first", f"replay:{path}", {"prompt_tokens": 5}
    )


def test_what_is_not_recorded_is_named_and_where_the_recording_ends(path):
    with pytest.raises(ReplayMiss) as caught:
        ask(play(path, STEPS), "edit", "run_2", 1)
    assert caught.value.message == "a.replay.jsonl has no reply to edit run_2 turn 1; its last is notes run_1 turn 1"
    assert "-m" in caught.value.hint
    with pytest.raises(ReplayMiss, match="it is empty"):
        ask(play(path, []))


def test_all_that_is_wrong_with_a_recording_comes_at_once(path):
    lines = [
        STEPS[0],
        "{",
        "[]",
        "null",
        '"text"',
        {"action": "edit"},
        {**STEPS[1], "reply": None},
        {**STEPS[1], "turn": "one"},
        json.dumps({**STEPS[1], "turn": 0}).replace("0", "1e999", 1),
        {**STEPS[1], "usage": [1]},
        {**STEPS[1], "usage": {"a": 1.5}},
        {**STEPS[1], "run": 5},
        "[" * 100_000,
        STEPS[0],
    ]
    with pytest.raises(InputProblem, match="is no usable recording") as caught:
        play(path, lines)
    said = caught.value.problems
    assert [s.split(":")[0] for s in said] == [f"line {n}" for n in range(2, 15)]
    assert said[1:4] == ("line 3: not an object", "line 4: not an object", "line 5: not an object")
    assert said[4] == "line 6: missing run, turn, reply"
    assert [s.split(": ")[-1] for s in said[5:11]] == ["reply", "turn", "turn", "usage", "usage", "run"]
    assert said[-1] == "line 14: a second reply to edit run_1 turn 1"


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_recording_that_cannot_be_read_is_the_users_mistake(path, content):
    if content:
        path.write_bytes(content)
    with pytest.raises(InputProblem, match="cannot read the recording"):
        ReplayModel(path)


def test_a_recording_saved_by_an_editor_of_windows_is_read(path):
    path.write_bytes(b"\xef\xbb\xbf" + b"".join(json.dumps(s).encode() + b"\r\n" for s in STEPS))
    assert ask(ReplayModel(path)).text == "first"


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_reply_is_recorded_and_played_unchanged(replies):
    import tempfile
    from pathlib import Path

    calls = [
        (prompt("edit", "run_1", n), Reply(text, "m", {"completion_tokens": n})) for n, text in enumerate(replies, 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        path.write_bytes(recording(calls).encode())
        model = ReplayModel(path)
        for asked, reply in calls:
            played = model.complete(asked, lambda: None)
            assert (played.text, played.usage) == (reply.text, reply.usage)


def test_a_recorded_study_played_back_is_the_same_study(tmp_path):
    model = ReplayModel(world.TOY / "ideas" / "iterate_averaging.replay.jsonl")
    record = tmp_path / "again.replay.jsonl"
    first, settings = world.start(tmp_path, tmp_path / "first", record=str(record))
    assert world.go(first, model, settings).exit_code == 0
    shutil.rmtree(tmp_path / "first" / ".cache")
    second, settings = world.start(tmp_path, tmp_path / "second", record=str(tmp_path / "third.jsonl"))
    assert world.go(second, ReplayModel(record), settings).exit_code == 0
    assert world.outcome_of(first) == world.outcome_of(second)
    keys = ("step", "action", "run", "turn", "reply", "usage")
    recorded = [
        [[json.loads(line)[key] for key in keys] for line in path.read_text().splitlines()]
        for path in (model.path, record, tmp_path / "third.jsonl")
    ]
    assert recorded[0] == recorded[1] == recorded[2]


@pytest.mark.parametrize("word", ["", "replay:", "manual:", "cmd:", "replay"])
def test_an_unknown_model_is_named_with_the_choices(word):
    with pytest.raises(InputProblem) as caught:
        choose(Settings(model=word))
    assert "replay:FILE" in caught.value.hint
    assert "manual:DIR" in caught.value.hint


def test_the_home_of_a_user_that_is_not_there_is_said():
    with pytest.raises(InputProblem, match="cannot read the recording ~no_such_user_xyz/file"):
        choose(Settings(model="replay:~no_such_user_xyz/file"))


def test_half_a_character_in_a_reply_does_not_stop_a_study(tmp_path):
    odd = '{"action": "edit", "run": "run_1", "turn": %d, "reply": "Half \\ud800 a character.%s"}'
    (tmp_path / "odd.jsonl").write_text(
        odd % (1, "") + "\n" + odd % (2, "\\n\\nALL_COMPLETED\\n") + "\n" + odd % (3, "\\nALL_COMPLETED")
    )
    root, settings = world.start(tmp_path, max_runs=1)
    assert world.go(root, ReplayModel(tmp_path / "odd.jsonl"), settings).exit_code == 1
