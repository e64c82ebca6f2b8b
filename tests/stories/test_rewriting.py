"""After the paper was built: what LaTeX found is mended, new results reach the text, and a person has parts written anew."""

import sys

import pytest

from agent import session
from agent.cli import main
from agent.core.errors import InputProblem
from agent.core.paper import MENDINGS, STEPS
from agent.loop import record_all, work
from agent.steps import anew, human
from tests.stories import world
from tests.stories.test_paper import TEXTS, Writer, begin, text_of, writer
from tests.stories.world import edits, notes, rate

pytestmark = pytest.mark.slow

UNKNOWN = "The update is simple.\n\nIt is \\nosuchcommand{w}, as always."
MENDED = "The update is simple.\n\nIt is as always."


def steps_of(model):
    return [(action, part) for action, part, _ in model.asked if action not in ("edit", "notes", "plot", "figures")]


def paper_of(root):
    return (root / "latex" / "paper.tex").read_text()


def rewritten(root, model, section="", take=False):
    """What `paper --rewrite` does, with this model."""
    outside = {"now": world.time.time, "tell": lambda *a: None, "model": model, "interrupted": lambda: False}
    with session.opened(root, {"paper": True}, False, True, **outside) as desk:
        record_all(desk, human.listen(desk))
        record_all(desk, human.answer(desk, take, False))
        record_all(desk, anew.perform(desk.state, anew.check(desk.state, section, take)))
        return work(desk)


def everywhere(part, text):
    return {(step.action, part): [text] * 4 for step in STEPS if step.part == part}


def test_what_only_latex_finds_goes_back_with_its_line_and_is_mended(tmp_path):
    root, settings = begin(tmp_path)
    model = writer({**everywhere("method", UNKNOWN), ("mend", "method"): [MENDED]})
    assert world.go(root, model, settings).exit_code == 0
    asked = [prompt for prompt in model.prompts if prompt.action == "mend"]
    assert [prompt.run for prompt in asked] == ["method"]
    assert "line 3 (`It is \\nosuchcommand{w}, as always.`)" in asked[0].request
    built = [event for event in world.events_of(root) if event.type == "paper.built"]
    assert [bool(event.left_out) for event in built] == [True, False]
    assert "It is as always." in text_of(root) and "Left out" not in text_of(root)
    assert world.state_of(root).built.errors == ()


def test_what_is_never_mended_is_left_out_where_everybody_sees_it_and_the_asking_ends(tmp_path):
    root, settings = begin(tmp_path)
    model = writer({**everywhere("method", UNKNOWN), ("mend", "method"): [UNKNOWN] * MENDINGS})
    assert world.go(root, model, settings).exit_code == 0
    assert steps_of(model).count(("mend", "method")) == MENDINGS
    assert "could not be typeset" in text_of(root) and "The update is simple" in text_of(root)
    assert len(world.state_of(root).built.left_out) == 1


def test_what_sticks_out_into_the_margin_goes_back_too(tmp_path):
    wide = "We write \\mbox{" + "very " * 60 + "long} lines."
    root, settings = begin(tmp_path)
    model = writer({**everywhere("conclusion", wide), ("mend", "conclusion"): [TEXTS["conclusion"]]})
    assert world.go(root, model, settings).exit_code == 0
    (asked,) = [prompt for prompt in model.prompts if prompt.action == "mend"]
    assert "stick out into the margin" in asked.request
    assert "very very" not in text_of(root)


def test_a_label_that_a_later_part_takes_a_second_time_is_mended_where_it_stands(tmp_path):
    first = "The table is Table~\\ref{tab:errors}.\n\n\\[ x = y \\]"
    root, settings = begin(tmp_path)
    gone = TEXTS["results"].replace("\\label{tab:errors}", "").replace("Table~\\ref{tab:errors}: the", "The")
    model = writer({("revise", "setup"): [first], ("revise", "results"): [gone], ("mend", "setup"): ["No table."]})
    assert world.go(root, model, settings).exit_code == 0
    assert ("mend", "setup") in steps_of(model)
    assert "??" not in text_of(root)


def test_new_results_send_a_paper_that_was_written_through_its_last_round_again(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    later = Writer(edits("", rate(0.02, 0.04)) | {("notes", "run_2", 1): notes("run_2")})
    assert world.go(root, later, reopen=True, max_runs=2).exit_code == 0
    assert steps_of(later) == [(step.action, step.part) for step in STEPS if step.action == "revise"]
    assert world.state_of(root).builds == 2


def test_a_section_is_written_anew_and_nothing_else(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    before = paper_of(root)
    model = writer(everywhere("conclusion", "Smaller steps are better steps."))
    assert rewritten(root, model, "conclusion").exit_code == 0
    assert steps_of(model) == [("draft", "conclusion"), ("refine", "conclusion"), ("revise", "conclusion")]
    after = paper_of(root)
    assert after == before.replace(TEXTS["conclusion"], "Smaller steps are better steps.")
    assert "better steps" in text_of(root)
    state = world.state_of(root)
    assert state.ended == "max_runs" and not state.rewriting
    assert [what for _, what in state.interventions] == ["asked for parts of the paper anew: conclusion"]


def test_the_whole_paper_is_written_anew_without_a_single_new_run(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    model = writer()
    assert rewritten(root, model).exit_code == 0
    assert steps_of(model) == [(step.action, step.part) for step in STEPS]
    assert not [key for key in model.asked if key[0] in ("edit", "notes")]


def test_a_rewriting_that_is_interrupted_goes_on_with_resume(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    model = writer()

    def stop(prompt):
        if prompt.action == "refine":
            raise KeyboardInterrupt

    model.before_reply = stop
    with pytest.raises(KeyboardInterrupt):
        rewritten(root, model, "results")
    model.before_reply = None
    assert world.go(root, model).exit_code == 0
    assert steps_of(model) == [
        ("draft", "results"),
        ("refine", "results"),
        ("refine", "results"),
        ("revise", "results"),
    ]
    assert world.state_of(root).ended == "max_runs"


def test_what_a_person_wrote_is_never_written_over_unless_they_give_it_away(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    mine = paper_of(root).replace(TEXTS["introduction"], "I wrote this \\nosuchcommand{myself}.")
    (root / "latex" / "paper.tex").write_text(mine)
    assert world.go(root, writer()).exit_code == 5
    assert world.go(root, writer(), take=True).exit_code == 0
    assert world.state_of(root).by_hand == {"introduction"}
    with pytest.raises(InputProblem, match="introduction: this text was changed by hand"):
        rewritten(root, writer(), "introduction")
    with pytest.raises(InputProblem, match="introduction"):
        rewritten(root, writer())
    assert rewritten(root, model := writer(), "conclusion").exit_code == 0
    assert "I wrote this" in paper_of(root) and ("mend", "introduction") not in steps_of(model)
    model = writer()
    assert rewritten(root, model, "introduction", take=True).exit_code == 0
    assert steps_of(model) == [("refine", "introduction"), ("revise", "introduction")]
    assert "I wrote this" in model.prompts[0].request  # it is what the coder goes on from
    assert "I wrote this" not in paper_of(root) and world.state_of(root).by_hand == frozenset()


def test_an_edit_that_nobody_has_seen_yet_is_asked_about_first(tmp_path):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    (root / "latex" / "paper.tex").write_text(paper_of(root).replace(TEXTS["method"], "Mine."))
    model = writer()
    assert rewritten(root, model, "method", take=True).exit_code == 0
    assert steps_of(model) == [("refine", "method"), ("revise", "method")]
    assert "Mine." in model.prompts[0].request


def test_what_cannot_be_written_anew_is_said_before_anything_happens(tmp_path):
    root, settings = begin(tmp_path)
    state = world.state_of(root)
    with pytest.raises(InputProblem, match="has not ended"):
        anew.check(state, "", False)
    assert world.go(root, writer(), settings).exit_code == 0
    state = world.state_of(root)
    with pytest.raises(InputProblem, match="no section result"):
        anew.check(state, "result", False)


ANSWER = """
import sys
asked = sys.stdin.read()
assert "Smaller" in asked or "conclusion" in asked
print("```latex\\nSmaller steps are better steps.\\n```")
"""


def test_the_command_writes_a_section_anew_and_says_how_it_ended(tmp_path, capsys):
    root, settings = begin(tmp_path)
    assert world.go(root, writer(), settings).exit_code == 0
    program = tmp_path / "answer.py"
    program.write_text(ANSWER)
    model = f"cmd:{sys.executable} {program}"
    assert main(["paper", str(root), "--rewrite", "conclusion", "-m", model]) == 0
    said = capsys.readouterr().out
    assert "The paper is written anew." in said and "paper  draft of conclusion" in said
    assert "Smaller steps are better steps." in paper_of(root)
    (root / "latex" / "paper.tex").write_text(paper_of(root).replace(TEXTS["method"], "Mine."))
    assert main(["paper", str(root), "--rewrite", "conclusion", "-m", model]) == 5
    assert "Changed by hand: latex/paper.tex" in capsys.readouterr().out
    assert main(["resume", str(root), "--take", "-m", model]) == 0
    assert "Mine." in paper_of(root) and world.state_of(root).by_hand == {"method"}
    assert main(["paper", str(root), "--rewrite", "conclusions", "-m", model]) == 2
    assert 'did you mean "conclusion"' in capsys.readouterr().err
    assert main(["paper", str(root), "-m", model]) == 2
    assert "--rewrite" in capsys.readouterr().err
