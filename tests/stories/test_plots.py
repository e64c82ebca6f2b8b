"""After the runs: plot.py for the paper and notes on its figures, in whole studies with a model that errs as models do."""

import base64
import json
import subprocess

import pytest

from agent.core.errors import InputProblem
from agent.llm.choose import choose
from agent.steps import build
from tests.fake_llm import FakeLLM, Say
from tests.stories import world
from tests.stories.world import Script, block, edits, new_file, notes, rate

pytestmark = pytest.mark.slow
PAPER = "\\title{T}\n\\begin{document}\n\\begin{abstract}\n\\placeholder{A}\n\\end{abstract}\n\\end{document}\n"
OLD = (world.TOY / "template" / "plot.py").read_text().rstrip("\n")
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"  # one black pixel
)
GOOD = f"""import base64
import json
from pathlib import Path

labels = {{"run_0": "baseline", "run_1": "mine"}}
for run in labels:
    json.loads(Path(run, "final_info.json").read_text())["fit"]["means"]["test_mse"]
pixel = base64.b64decode("{PIXEL}")
Path("own.png").write_bytes(pixel)
Path("own.pdf").write_bytes(b"%PDF-1.4 of " + str(sorted(labels)).encode())"""
LABELS, LINE = (next(line for line in GOOD.splitlines() if line.startswith(word)) for word in ("labels", "pixel"))
CRASHES = GOOD.replace('["test_mse"]', '["test_msee"]')
CRASHES_TOO = GOOD.replace("sorted(labels)", "sorted(labels)[7]")
READING = "own.png: run 1 was expected to be lower, and \\fact{run_1.fit.test_mse} is."
LEFT = {
    ("notes", "run_1", 1): notes("run_1"),
    ("draft", "abstract", 1): "```latex\nSo it is.\n```\n",
    ("refine", "abstract", 1): "```latex\nSo it is indeed.\n```\n",
    ("revise", "title", 1): "```latex\n\\title{So}\n```\n",
    ("revise", "abstract", 1): "```latex\nSo it is, all in all.\n```\n",
}
LATER = {  # new results send the paper through its last round again
    ("revise", "title", 2): "```latex\n\\title{So}\n```\n",
    ("revise", "abstract", 2): "```latex\nSo it is, all in all.\n```\n",
}
ASKED = ("plot", "figures")


@pytest.fixture(autouse=True)
def _no_latex(monkeypatch):
    monkeypatch.setattr(build, "lacking", lambda: ("latexmk",))


def begin(tmp_path, **settings):
    toy = world.template(tmp_path / "toy")
    (toy / "latex").mkdir()
    (toy / "latex" / "paper.tex").write_text(PAPER)
    return world.start(tmp_path, folder=toy, **{"max_runs": 1, **settings})


def model(plots=(), readings=(), **more):
    answers = {("plot", "plot.py", turn): reply for turn, reply in enumerate(plots, 1)}
    answers |= {("figures", "figures", turn): reply for turn, reply in enumerate(readings, 1)}
    return Script(edits(rate(0.05, 0.02)) | LEFT | answers, **more)


def plot(new, old=OLD, words="Draw the runs."):
    return f"{words}\n\n" + block(old, new, "plot.py")


def reading(text=READING):
    return new_file("notes/figures.txt", text)


def asked(script):
    return [(action, turn) for action, _, turn in script.asked if action in ASKED]


def request(script, action, turn):
    return next(p.request for p in script.prompts if (p.action, p.turn) == (action, turn))


def kinds(root):
    return [event.type for event in world.events_of(root)]


def test_the_coder_draws_the_papers_figures_and_reads_them_before_it_is_written(tmp_path):
    root, settings = begin(tmp_path)
    script = model([plot(GOOD)], [reading()])
    assert world.go(root, script, settings).exit_code == 0
    order = [action for action, _, _ in script.asked]
    assert order == ["edit", "notes", "plot", "figures", "draft", "refine", "revise", "revise"]
    assert set(world.state_of(root).figures) == {"figures/own.png", "figures/own.pdf"}
    assert world.state_of(root).figures["figures/own.png"].runs == ("run_0", "run_1")
    written = (root / "notes" / "figures.txt").read_text()
    assert written.strip() == READING
    assert READING in (root / "notes.txt").read_text()
    md = (root / "notes.md").read_text()
    assert "## Figures\n\nown.png: run 1 was expected to be lower, and 0." in md
    drafted = next(p for p in script.prompts if p.action == "draft")
    assert READING in drafted.request and "figures/own" in drafted.stable
    assert subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True).stdout == ""


def test_the_request_for_plot_py_shows_what_is_there_and_the_edits_before_it_do_not_show_plot_py(tmp_path):
    root, settings = begin(tmp_path, default_figures=True)
    script = model(["ALL_COMPLETED"], [reading("default_metrics.png, default_runs.png: as expected.")])
    assert world.go(root, script, settings).exit_code == 0
    edit, prompt = (next(p for p in script.prompts if p.action == action) for action in ("edit", "plot"))
    assert [name for name, _ in prompt.files] == ["plot.py"] and prompt.stable == edit.stable
    assert "plot.py" not in [name for name, _ in edit.files]
    for told in (
        "run_1/final_info.json:\n{", '"means": {', '"test_mse": 0.', "- run_1: Change the learning rate.", "- primary: fit.test_mse (Test error, better down)",
        "- figures/default_metrics: The runs in 2 metrics", "3 replies left", "- run_0_zero: ",
    ):  # fmt: skip
        assert told in prompt.request
    assert len(prompt.request) < 9_000


def test_figures_that_serve_as_they_are_are_left_and_the_study_has_not_ended_by_that(tmp_path):
    root, settings = begin(tmp_path)
    script = model(["The paper needs none.\n\nALL_COMPLETED"])
    stop = world.go(root, script, settings)
    assert (stop.exit_code, stop.why) == (0, "the limit of 1 run is reached")
    assert asked(script) == [("plot", 1)]  # there are no figures to take notes on
    assert "coder.kept_figures" in kinds(root) and "coder.completed" not in kinds(root)
    assert (root / "plot.py").read_text().rstrip("\n") == OLD


def test_a_plot_that_fails_twice_goes_back_with_what_it_said_until_it_works(tmp_path):
    root, settings = begin(tmp_path)
    script = model([plot(CRASHES), plot(CRASHES_TOO, CRASHES), plot(GOOD, CRASHES_TOO)], [reading()])
    assert world.go(root, script, settings).exit_code == 0
    assert asked(script) == [("plot", 1), ("plot", 2), ("plot", 3), ("figures", 1)]
    second, third = request(script, "plot", 2), request(script, "plot", 3)
    assert "KeyError: 'test_msee'" in second and "> " in second and "plot.py, line 7" in second
    assert "IndexError" in third and "test_msee" not in third and "(1 reply left for this.)" in third
    assert "figures/own.png" in world.state_of(root).figures
    assert "plot.py failed" not in (root / "README.md").read_text()
    assert "plot.restored" not in kinds(root)
    assert world.state_of(root).told == ""


def test_a_plot_that_is_never_mended_is_taken_back_and_the_study_goes_on_to_its_end(tmp_path):
    root, settings = begin(tmp_path)
    script = model([plot(CRASHES), plot(CRASHES_TOO, CRASHES), plot(CRASHES, CRASHES_TOO)])
    stop = world.go(root, script, settings)
    assert (stop.exit_code, stop.why) == (0, "the limit of 1 run is reached")
    assert asked(script) == [("plot", 1), ("plot", 2), ("plot", 3)]
    assert (root / "plot.py").read_text().rstrip("\n") == OLD
    assert world.state_of(root).figures == {}
    (event,) = (event for event in world.events_of(root) if event.type == "plot.restored")
    assert event.replies == 3 and "KeyError" in event.evidence
    for told in ("README.md", "notes.txt", "notes.md"):
        assert "as it last worked" in (root / told).read_text() and "KeyError" in (root / told).read_text(), told
    assert "paper.built" in kinds(root)


def test_what_worked_before_is_what_it_goes_back_to_with_its_figures(tmp_path):
    root, settings = begin(tmp_path)
    world.go(root, model([plot(GOOD)], [reading()]), settings)
    broken = (
        GOOD.replace('"run_1": "mine"', '"run_1": "mine", "run_2": "smaller"').replace("own.png", 1 * "new.png")
        + "\n1 / 0"
    )
    replies = {("edit", "run_2", 1): rate(0.02, 0.01), ("notes", "run_2", 1): notes("run_2")}
    replies |= {("plot", "plot.py", turn): f"Again.\n\n{block(old, new, 'plot.py')}"
                for turn, old, new in ((2, GOOD, broken), (3, "1 / 0", "2 / 0"), (4, "2 / 0", "3 / 0"))}  # fmt: skip
    replies["figures", "figures", 2] = block(READING, READING + " Run 2 is not in it.", "notes/figures.txt")
    script = Script(replies | LATER)
    assert world.go(root, script, reopen=True, max_runs=2).exit_code == 0
    assert (root / "plot.py").read_text().rstrip("\n") == GOOD
    assert set(world.state_of(root).figures) == {"figures/own.png", "figures/own.pdf"}
    assert [turn for action, turn in asked(script) if action == "plot"] == [2, 3, 4]


def test_a_study_that_goes_on_with_more_runs_is_asked_for_both_again(tmp_path):
    root, settings = begin(tmp_path)
    world.go(root, model([plot(GOOD)], [reading()]), settings)
    new = GOOD.replace('"run_1": "mine"', '"run_1": "mine", "run_2": "smaller"')
    replies = {("edit", "run_2", 1): rate(0.02, 0.01), ("notes", "run_2", 1): notes("run_2"),
               ("plot", "plot.py", 2): plot(new, GOOD),
               ("figures", "figures", 2): block(READING, READING + " Run 2 is lower still.", "notes/figures.txt")}  # fmt: skip
    script = Script(replies | LATER)
    assert world.go(root, script, reopen=True, max_runs=2).exit_code == 0
    assert asked(script) == [("plot", 2), ("figures", 2)]
    assert "(3 replies left for this.)" in request(script, "plot", 2)
    assert world.state_of(root).figures["figures/own.png"].runs == ("run_0", "run_1", "run_2")
    assert "lower still" in (root / "notes.txt").read_text()
    shown = next(p for p in script.prompts if p.action == "figures")
    assert shown.files[0][0] == "notes/figures.txt" and READING in shown.files[0][1]
    assert world.go(root, Script({})).exit_code == 0  # nothing is asked for again without new results


def test_what_is_no_change_of_plot_py_goes_back_with_a_sentence(tmp_path):
    root, settings = begin(tmp_path)
    foreign = plot(GOOD) + rate(0.02, 0.01)
    undefined = plot(GOOD.replace("pixel = base64", "pixels = base64"))
    mended = block(LINE.replace("pixel =", "pixels ="), LINE, "plot.py")  # on top of what was refused
    script = model([foreign, undefined, mended], [reading()])
    assert world.go(root, script, settings).exit_code == 0
    assert "experiment.py cannot be changed now" in request(script, "plot", 2)
    assert "`pixel` is not defined" in request(script, "plot", 3)
    shown = next(p for p in script.prompts if (p.action, p.turn) == ("plot", 3)).files
    assert "pixels = base64" in shown[0][1] and "send only what is still to be changed" in request(script, "plot", 3)
    assert (root / "plot.py").read_text().rstrip("\n") == GOOD
    assert '"learning_rate": 0.02' in (root / "experiment.py").read_text()
    attempts = list((root / ".study" / "attempts").glob("plot-*"))
    assert len(attempts) == 1  # what surely fails was never run


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Let me think about it.", "no SEARCH/REPLACE block"),
        (plot(GOOD.replace('"run_0": "baseline", "run_1": "mine"', '"run_0": "baseline"')), "`labels` names no run of this study"),
        (plot(GOOD.replace("own.", "own.j")), "left no image"),
        (plot(GOOD.replace("own.", "default_own.")), "names that begin with default_"),
        (plot(OLD), "as it is"),
        (block("no such line", "x = 1", "plot.py"), "SEARCH"),
        (new_file("figures.py", "x = 1"), "figures.py"),
    ],
)  # fmt: skip
def test_a_reply_that_makes_no_figures_is_answered_with_what_would(tmp_path, reply, said):
    root, settings = begin(tmp_path)
    script = model([reply, "ALL_COMPLETED"])
    assert world.go(root, script, settings).exit_code == 0
    assert said in request(script, "plot", 2)


def test_of_blocks_that_do_not_all_fit_those_that_do_need_not_be_sent_again(tmp_path):
    root, settings = begin(tmp_path)
    script = model(
        [
            plot(GOOD) + block("no such line", "x = 1", "plot.py"),
            block(LABELS, LABELS.replace("mine", "ours"), "plot.py"),
        ],
        [reading()],
    )
    assert world.go(root, script, settings).exit_code == 0
    assert (root / "plot.py").read_text().rstrip("\n") == GOOD.replace('"mine"', '"ours"')


def test_a_broken_plot_cannot_be_left_as_it_is(tmp_path):
    root, settings = begin(tmp_path)
    script = model([plot(CRASHES), "ALL_COMPLETED", "ALL_COMPLETED"])
    assert world.go(root, script, settings).exit_code == 0
    assert "cannot stay as it is" in request(script, "plot", 3) and "KeyError" in request(script, "plot", 3)
    assert (root / "plot.py").read_text().rstrip("\n") == OLD


def test_notes_that_forget_a_figure_or_invent_one_go_back_and_are_not_in_the_study(tmp_path):
    root, settings = begin(tmp_path)
    two = GOOD + '\nPath("more.png").write_bytes(pixel)'
    wrong = reading("own.png and ablation.png show that it works.")
    right = reading("own.png: as expected. more.png: the same.")
    script = model([plot(two)], [wrong, right])
    assert world.go(root, script, settings).exit_code == 0
    again = request(script, "figures", 2)
    assert "more.png is not named" in again and "ablation.png is no figure of this study" in again
    assert "own.png is" not in again
    assert (
        "ablation" not in (root / "notes.txt").read_text() and "more.png: the same" in (root / "notes.txt").read_text()
    )


def test_notes_that_never_hold_what_they_must_are_left_out_and_the_paper_is_written(tmp_path):
    root, settings = begin(tmp_path)
    script = model([plot(GOOD)], [reading("All is well."), rate(0.02, 0.01)])
    assert world.go(root, script, settings).exit_code == 0
    assert asked(script) == [("plot", 1), ("figures", 1), ("figures", 2)]
    assert not (root / "notes" / "figures.txt").exists() and "paper.built" in kinds(root)
    assert '"learning_rate": 0.02' in (root / "experiment.py").read_text()


def test_the_request_for_notes_holds_the_numbers_that_are_drawn_each_image_once_and_its_path(tmp_path):
    root, settings = begin(tmp_path, default_figures=True)
    script = model([plot(GOOD)], [reading("default_metrics.png, default_runs.png and own.png: as expected.")])
    assert world.go(root, script, settings).exit_code == 0
    prompt = next(p for p in script.prompts if p.action == "figures")
    for told in ("## figures/default_metrics.png, figures/default_metrics.pdf", "## figures/own.png, figures/own.pdf\n\nMade by plot.py",
                 "run_1 | Change the learning rate. | 3 | 0.", "run | fit.test_mse\nrun_0 | 0.", "labels = {"):  # fmt: skip
        assert told in prompt.request
    assert prompt.request.count("## figures/") == 3
    assert [image.path for image in prompt.images] == [
        f"figures/{name}.png" for name in ("default_metrics", "default_runs", "own")
    ]
    assert all(image.data.startswith(b"\x89PNG") for image in prompt.images)


def test_a_study_without_a_paper_is_asked_for_neither(tmp_path):
    root, settings = begin(tmp_path, paper=False)
    script = model()
    assert world.go(root, script, settings).exit_code == 0
    assert asked(script) == []


def test_a_template_whose_plot_is_frozen_has_its_figures_read_and_not_changed(tmp_path):
    toy = world.template(tmp_path / "toy", template__toml=lambda text: text.replace(', "plot.py"]', "]"))
    (toy / "latex").mkdir()
    (toy / "latex" / "paper.tex").write_text(PAPER)
    root, settings = world.start(tmp_path, folder=toy, max_runs=1, default_figures=True)
    script = model(readings=[reading("default_metrics.png, default_runs.png: as expected.")])
    assert world.go(root, script, settings).exit_code == 0
    assert asked(script) == [("figures", 1)]


def writer(request):
    """What a provider's model answers in this study, by what it is asked."""
    last = request.texts[-1]
    for words, reply in {
        "Make its figures": plot(GOOD), "Write notes/figures.txt": reading(), "Write the notes that": notes("run_1"),
        "revise": "```latex\n\\title{So}\n```", "First plan your runs": rate(0.05, 0.02),
    }.items():  # fmt: skip
        if words in last:
            return Say(reply)
    return Say("```latex\nSo it is.\n```")


@pytest.mark.parametrize("images", ["yes", "no"])
def test_a_provider_gets_the_png_that_plot_py_has_made_where_its_model_can_see(tmp_path, images):
    with FakeLLM(writer) as server:
        how = {"model": "openai/test", "base_url": server.openai_url, "price": "3/15", "images": images}
        root, settings = begin(tmp_path, **how)
        assert world.go(root, choose(settings), settings).exit_code == 0
    encoded = f"data:image/png;base64,{base64.b64encode((root / 'figures' / 'own.png').read_bytes()).decode()}"
    holding = [request for request in server.requests if encoded in json.dumps(request.body["messages"][-1])]
    read = [request for request in server.requests if "Write notes/figures.txt" in request.texts[-1]]
    assert len(read) == 1 and holding == (read if images == "yes" else [])
    booked = [event for event in world.events_of(root) if event.type == "call.sent" and "figures" in event.call]
    assert (booked[0].usage["prompt_tokens"] > 6_000) == (images == "yes")
    assert READING in (root / "notes.txt").read_text()


def test_a_session_that_was_killed_asks_nothing_twice_and_shows_the_same_images(tmp_path):
    root, settings = begin(tmp_path)
    script = model([plot(GOOD)], [reading()])
    reply = script.replies.pop(("figures", "figures", 1))
    with pytest.raises(InputProblem):
        world.go(root, script, settings)
    again = Script({**script.replies, ("figures", "figures", 1): reply})
    assert world.go(root, again).exit_code == 0
    assert asked(again) == [("figures", 1)]
    (image,) = again.prompts[0].images
    assert image.data.startswith(b"\x89PNG")
