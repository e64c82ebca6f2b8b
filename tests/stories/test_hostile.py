"""Replies that name what is not theirs, command, ramble or break off: what is done about each, and what stays untouched."""

import hashlib
import os
import shutil
import time

import pytest

from agent.llm import library
from agent.steps.edit import _CUT
from tests.fake_llm import FakeLLM, Say
from tests.stories import world
from tests.stories.providers import coder, go, start
from tests.stories.world import block, new_file, notes, rate

MARK = "HOSTILE_MARK"
DONE = "the limit of 1 run is reached"
OF_THE_TOOL = ("experiment.py", "plot.py", "README.md", "notes.txt", "notes", "run_", ".study", "config.toml")
OF_GIT = ("config", "hooks", "info", "HEAD", "description")  # the rest of .git are commits and refs


@pytest.fixture(autouse=True, scope="module")
def imported():
    library.litellm()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """With another study in it, whose baseline is measured, and a file of the user's beside it."""
    place = tmp_path_factory.mktemp("place")
    (place / "x.py").write_text("mine = 1\n")
    (place / "results").mkdir()
    (place / "results" / "mine.txt").write_text("mine\n")
    with FakeLLM(coder) as server:
        root, settings = start(place, server)
        assert go(root, settings).exit_code == 0
    return place / "results"


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".bashrc").write_text("# mine\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    return home


def snapshot(folder, left_out=()):
    """Name → kind, mode and content of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(tuple(left_out)):
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_file():
            found[name] = (path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
        else:
            found[name] = ("folder",)
    return found


class Guarded:
    """A study whose surroundings, and what in it belongs to nobody's edits, must stay as they are."""

    def __init__(self, place, results, home, server, **settings):
        self.root, self.settings = start(place, server, results=results, turns_per_attempt=20, **settings)
        self.server, self.results, self.home = server, results, home
        self.before = None

    def go(self, **given):
        before = self.surroundings()
        stop = go(self.root, self.settings, **given)
        assert self.surroundings() == before
        self.assert_not_written()
        return stop

    def surroundings(self):
        git = self.root / ".git"
        return {
            "outside": snapshot(self.results.parent, (f"results/{self.root.name}", "results/.cache")),
            "home": snapshot(self.home),
            "study": snapshot(self.root, (*OF_THE_TOOL, ".git", "lib")),
            "git": {
                name: (git / name).read_text() if (git / name).is_file() else snapshot(git / name) for name in OF_GIT
            },
        }

    def assert_not_written(self):
        """What a hostile reply wanted to write is in its own record and nowhere else."""
        for path in [*self.results.parent.rglob("*"), *self.home.rglob("*")]:
            if path.is_file() and ".study" not in path.parts and MARK.encode() in path.read_bytes():
                raise AssertionError(f"{path} was written")

    def rejections(self):
        return [event for event in world.events_of(self.root) if event.type == "edit.rejected"]

    def types(self):
        return [e.type for e in world.events_of(self.root) if e.type.startswith(("edit.", "coder."))]


def script(*first):
    """These replies first, then the coder's; a function gets the request."""
    waiting = list(first)

    def answer(request):
        if not waiting:
            return coder(request)
        reply = waiting.pop(0)
        reply = reply(request) if callable(reply) else reply
        return reply if isinstance(reply, Say) else Say(reply)

    return answer


@pytest.fixture
def guarded(tmp_path, results, home):
    """guarded(reply, reply, …, **settings): a study that gets these replies and then good ones."""
    made = []

    def make(*replies, **settings):
        server = FakeLLM(script(*replies))
        server.__enter__()
        made.append(server)
        return Guarded(tmp_path, results, home, server, **settings)

    yield make
    for server in made:
        server.__exit__(None)


FROZEN = "SLOPE, OFFSET, NOISE = 1.7, -0.4, 0.5"
NAMES = {
    "../x.py": "outside", "../../x.py": "outside", "{place}/x.py": "absolute", "/etc/passwd": "absolute", "~/.bashrc": "absolute",
    "$HOME/x.py": "not an editable", "{other}/experiment.py": "absolute", "../{othername}/experiment.py": "outside",
    "notes/../experiment2.py": "outside", "notes/../../x.py": "outside", "C:\\Windows\\x.py": "absolute",
    "..\\x.py": "outside", "\\\\server\\share\\x.py": "absolute", "sub/../../x.py": "outside",
}  # fmt: skip
OWN = {
    ".git/config": "git's own", ".git/hooks/pre-commit": "git's own", ".GIT/config": "git's own", "notes/.git/x.txt": "git's own",
    ".study/journal.jsonl": "not an editable", ".study/lock": "not an editable", "harness/world.py": "not an editable",
    "harness/plot.py": "not an editable", "template.toml": "not an editable", "idea.json": "not an editable",
    "README.md": "not an editable", "config.toml": "not an editable", "latex/paper.tex": "not an editable",
    "experiment2.py": "not an editable", "run_0/final_info.json": "not an editable", "ехperiment.py": "not an editable",
    "notes/deep/x.txt": "not an editable", "notes/x.py": "not an editable", "./harness/../harness/world.py": "outside",
}  # fmt: skip


@pytest.mark.parametrize("names", [NAMES, OWN], ids=["outside the study", "inside it"])
def test_a_file_that_may_not_be_edited_is_refused_by_name_and_the_next_reply_is_taken(guarded, results, names):
    other = next(p for p in results.glob("2*"))
    real = {
        name: name.format(place=results.parent, other=other, othername=other.name) if "{" in name else name
        for name in names
    }
    study = guarded(*[new_file(name, f"{MARK} = 1") for name in real.values()])
    stop = study.go()
    assert (stop.exit_code, stop.why) == (0, DONE)
    assert len(study.server.requests) == len(names) + 2
    refused = study.rejections()
    assert len(refused) == len(names)
    for event, (name, reason) in zip(refused, names.items(), strict=True):
        assert len(event.problems) == 1 and reason in event.problems[0], (name, event.problems)
        assert event.kept == ()


def test_lines_of_frozen_files_cannot_be_changed_either(guarded):
    line = '  "Name": "iterate_averaging",'
    replies = [
        block(FROZEN, f"{FROZEN}  # {MARK}", "harness/world.py"),
        block('primary = "fit.test_mse"', f'primary = "{MARK}"', "template.toml"),
        block(line.strip(), f'"Name": "{MARK}",', "idea.json"),
        block("# Toy", f"# {MARK}", "README.md"),
    ]
    study = guarded(*replies)
    assert study.go().exit_code == 0
    assert len(study.rejections()) == len(replies) and len(study.server.requests) == len(replies) + 2
    assert all("not an editable file" in event.problems[0] for event in study.rejections())


ODD = ("experiment.py\0.txt", "experi\nment.py", "experiment.py\u202etxt.py", "ｅxperiment.py", "experiment.py/")


def test_odd_characters_in_a_name_make_no_file(guarded):
    study = guarded(*[new_file(name, f"{MARK} = 1") for name in ODD])
    assert study.go().exit_code == 0
    assert study.types()[: len(ODD)] == ["edit.rejected"] * len(ODD)
    assert len(study.server.requests) == len(ODD) + 2


def test_the_paper_is_not_written_before_its_phase(guarded, tmp_path):
    toy = world.template(tmp_path / "toy", template__toml=lambda t: t.replace('"plot.py"]', '"plot.py", "latex/**"]'))
    study = guarded(new_file("latex/paper.tex", MARK) + rate(0.05, 0.02), folder=toy)
    assert study.go().exit_code == 0
    (refused,) = study.rejections()
    assert "written in the paper phase" in refused.problems[0] and refused.kept == ()
    assert not (study.root / "latex").exists()


COMMANDS = {
    "run": f"/run rm -rf . ~\n/run touch {MARK}", "shell": f"!ls\n!touch {MARK}", "web": "/web http://192.0.2.1/page",
    "commit": "/commit", "bash": f"```bash\ntouch {MARK}\n```", "urls": "See http://192.0.2.1/a and https://192.0.2.2/b. " * 100,
    "done in prose": "I wrote ALL_COMPLETED in the last line of my plan, but it is not ALL_COMPLETED yet.",
    "prose": "I think that a smaller rate is better. Shall I go on?", "thoughts": f"<think>{rate(0.05, 0.02)}</think>",
    "empty": "", "blank": " \n\n", "json": '{"edit": "experiment.py"}',
    "diff": "--- a/experiment.py\n+++ b/experiment.py\n@@ -1 +1 @@\n-import os\n+import sys\n",
}  # fmt: skip


def test_commands_links_and_mere_words_change_nothing_and_are_told_so(guarded):
    study = guarded(*COMMANDS.values())
    began = time.monotonic()
    assert study.go().exit_code == 0
    refused = study.rejections()
    assert len(refused) == len(COMMANDS) and len(study.server.requests) == len(COMMANDS) + 2
    for name, event in zip(COMMANDS, refused, strict=True):
        said = "the reply is empty" if name in ("thoughts", "empty", "blank") else "holds no SEARCH/REPLACE block"
        assert len(event.problems) == 1 and said in event.problems[0], name
    assert time.monotonic() - began < 20


def test_a_change_among_commands_and_links_is_made_and_nothing_else_is(guarded):
    around = "\n\n".join(COMMANDS[name] for name in ("run", "shell", "web", "commit", "urls", "bash", "done in prose"))
    study = guarded(f"{around}\n\n{rate(0.05, 0.02)}\n{around}\n".replace(MARK, "X"))
    assert study.go().exit_code == 0
    assert study.types() == ["edit.committed", "edit.committed"] and len(study.server.requests) == 2
    assert '"learning_rate": 0.02,' in (study.root / "experiment.py").read_text()
    assert not list(study.root.rglob("X"))


def test_a_coder_that_only_talks_and_trespasses_costs_a_bounded_number_of_calls(guarded):
    study = guarded(*[COMMANDS["urls"], COMMANDS["thoughts"], new_file("../x.py", MARK)] * 30)
    study.settings = study.settings.model_copy(update={"turns_per_attempt": 3, "max_runs": 10})
    assert study.go().exit_code == 1 and len(study.server.requests) == 2 * 3


def test_thousands_of_blocks_are_dealt_with_in_seconds(guarded):
    good = block('    "epochs": 3,', '    "epochs": 4,')
    wrong = "".join(block(f"line_{n} = {n}", f"{MARK} = {n}") for n in range(3000))
    study = guarded(Say(good + wrong, chunk=5000), reply_tokens=100_000)
    began = time.monotonic()
    assert study.go().exit_code == 0
    assert time.monotonic() - began < 20
    (refused,) = study.rejections()
    assert 0 < len(refused.problems) <= 12 and len(refused.kept) == 1
    assert len(study.server.requests) == 3


# ---- what is kept ---------------------------------------------------------------------------------------------------


def assert_next_prompt_shows(study, number, *texts):
    shown = study.server.requests[number].texts[1]
    assert all(text in shown for text in texts)


def test_of_a_half_good_reply_the_good_half_is_kept_and_the_next_completes_it(guarded):
    epochs = block('    "epochs": 3,', '    "epochs": 4,')
    study = guarded(epochs + rate(0.06, 0.02), rate(0.05, 0.02))
    assert study.go().exit_code == 0
    (refused,) = study.rejections()
    assert [kept["search"].strip() for kept in refused.kept] == ['"epochs": 3,']
    assert len(study.server.requests) == 3
    assert_next_prompt_shows(study, 1, '"epochs": 4,', '"learning_rate": 0.05,')
    assert "1 block (experiment.py) fitted" in study.server.requests[1].texts[-1]
    assert_ran_with(study, '"epochs": 4,', '"learning_rate": 0.02,')


def assert_ran_with(study, *texts):
    """run_1 was started once, with all of them in its code."""
    (launched,) = [e for e in world.events_of(study.root) if e.type == "run.launched" and e.run == "run_1"]
    code = world_text(study, launched.head)
    assert all(text in code for text in texts)


def world_text(study, head):
    from agent.store.workspace import Workspace

    return Workspace(study.root).read(head, ["experiment.py"])["experiment.py"].decode()


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_of_a_reply_that_was_cut_the_whole_blocks_are_kept_nothing_is_applied_and_the_rest_is_asked_for(
    guarded, finish
):
    epochs = block('    "epochs": 3,', '    "epochs": 4,')
    half = rate(0.05, 0.02)
    half = half[: half.index("=======")]
    study = guarded(Say(f"Both.\n\n{epochs}\n{half}", finish=finish), rate(0.05, 0.02))
    assert study.go().exit_code == 0
    (refused,) = study.rejections()
    assert refused.problems == (_CUT["length" if finish == "length" else "filter"],)
    assert [kept["search"].strip() for kept in refused.kept] == ['"epochs": 3,']
    assert len(study.server.requests) == 3
    assert_next_prompt_shows(study, 1, '"epochs": 4,', '"learning_rate": 0.05,')
    assert_ran_with(study, '"epochs": 4,', '"learning_rate": 0.02,')
    events = [e.type for e in world.events_of(study.root)]
    assert events.index("edit.rejected") < events.index("edit.committed")


def test_a_reply_that_is_cut_again_and_again_is_bounded_and_never_applied(guarded):
    half = rate(0.05, 0.02)
    study = guarded(*[Say(half, finish="length")] * 100)
    study.settings = study.settings.model_copy(update={"turns_per_attempt": 3})
    stop = study.go()
    assert stop.exit_code == 1 and len(study.server.requests) == 3
    assert "edit.committed" not in study.types()


@pytest.mark.parametrize(
    ("line", "said"),
    [('    "epochs": 3 +,', "would not compile"), ('    "epochs": epochz,', "`epochz` is not defined")],
    ids=["syntax error", "undefined name"],
)
def test_code_that_would_surely_fail_comes_back_with_its_blocks_and_a_correction_suffices(guarded, line, said):
    wrong = rate(0.05, 0.02) + block('    "epochs": 3,', line)
    study = guarded(wrong, block(line, '    "epochs": 4,'))
    assert study.go().exit_code == 0
    (refused,) = study.rejections()
    assert said in refused.problems[0] and len(refused.kept) == 2
    assert len(study.server.requests) == 3
    assert said in study.server.requests[1].texts[-1]
    assert_next_prompt_shows(study, 1, line, '"learning_rate": 0.02,')
    assert_ran_with(study, '"epochs": 4,', '"learning_rate": 0.02,')
    assert not [e for e in world.events_of(study.root) if e.type == "run.failed"]


# ---- links --------------------------------------------------------------------------------------------------------


def linking(tmp_path):
    """A template in which new files under lib/ may be made."""
    return world.template(tmp_path / "toy", template__toml=lambda t: t.replace('"plot.py"]', '"plot.py", "lib/*.py"]'))


def test_a_link_that_points_outside_is_not_written_through(guarded, tmp_path, results):
    study = guarded(new_file("lib/link.py", "changed = 1") + rate(0.05, 0.02), folder=linking(tmp_path))
    (study.root / "lib").mkdir()
    (study.root / "lib" / "link.py").symlink_to(results.parent / "x.py")
    assert study.go().exit_code == 5  # a person made it; they are asked before anything is
    assert study.server.requests == []
    study.go(stash=True)
    assert (results.parent / "x.py").read_text() == "mine = 1\n"


RUN_TIME = "    world.report(out_dir, fits, config)"


def code_that(*lines):
    return block(RUN_TIME, "\n".join([RUN_TIME, *(f"    {line}" for line in lines)])) + rate(0.05, 0.02)


def sessions(study, most=4):
    """Until the study is done, putting aside what looks like a person's edit."""
    stops = [study.go()]
    while stops[-1].exit_code == 5 and len(stops) < most:
        stops.append(study.go(stash=True))
    return stops


def test_a_link_that_a_run_makes_under_an_editable_name_is_not_written_through(guarded, tmp_path, results):
    victim = results.parent / "x.py"
    make = code_that(
        "os.makedirs('lib', exist_ok=True)",
        f"os.path.lexists('lib/link.py') or os.symlink({str(victim)!r}, 'lib/link.py')",
    )
    change = new_file("lib/link.py", "changed = 1") + rate(0.02, 0.01)
    study = guarded(make, change, folder=linking(tmp_path), max_runs=2)
    stops = sessions(study)
    assert stops[-1].exit_code == 0 and len(study.server.requests) == 3
    assert victim.read_text() == "mine = 1\n" and not victim.is_symlink()
    assert (study.root / "lib" / "link.py").read_text() == "changed = 1\n" and not (
        study.root / "lib" / "link.py"
    ).is_symlink()


def test_a_folder_that_a_run_makes_a_link_is_not_written_through(guarded, tmp_path, results):
    outside = results.parent / "folder"
    outside.mkdir(exist_ok=True)
    make = code_that(
        "import shutil",
        "shutil.rmtree('notes', ignore_errors=True)",
        f"os.path.islink('notes') or os.symlink({str(outside)!r}, 'notes')",
    )
    study = guarded(make, notes("run_1"), folder=linking(tmp_path))
    stops = sessions(study)
    assert stops[-1].exit_code == 0 and len(study.server.requests) == 2
    assert list(outside.iterdir()) == []
    shutil.rmtree(outside)
