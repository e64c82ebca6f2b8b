"""A change is checked with what is known; what is not known is asked once; no answer refuses nothing."""

import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from agent.core.config import Settings
from agent.core.errors import Interrupted
from agent.core.layout import Layout
from agent.core.template import Template
from agent.runners import signatures as interpreter
from agent.runners.inspect import fingerprint
from agent.steps import signatures
from agent.store.workspace import Workspace

MACHINE = fingerprint((sys.executable,)).to_json()
FILES = {
    "experiment.py": "from harness import world\nworld.points()\n",
    "harness/__init__.py": "",
    "harness/world.py": "def points(count=3): ...\n",
    "plot.py": "labels = {}\n",
    "template.toml": "name = 'toy'\n",
}


@dataclass
class FakeDesk:
    """The parts of a desk that are needed."""

    layout: Layout
    workspace: Workspace
    state: SimpleNamespace
    template: Template
    interpreter: tuple = (sys.executable,)
    machine: dict = None

    def pulse(self):
        if self.state.interrupted:
            raise Interrupted("interrupted")


@pytest.fixture
def desk(tmp_path):
    root = tmp_path / "results" / "study"
    root.mkdir(parents=True)
    _, head = Workspace.create(root, {name: text.encode() for name, text in FILES.items()}, "Start", 1000.0)
    template = Template(
        name="toy", command="python experiment.py --out_dir={out_dir}", editable=("experiment.py", "plot.py", "json.py")
    )
    state = SimpleNamespace(head=head, settings=Settings(sandbox="none"), interrupted=False)
    return FakeDesk(Layout(root), Workspace(root), state, template, machine=MACHINE)


def check(desk, text, name="experiment.py", before=None):
    return signatures.findings(desk, FILES if before is None else before, {name: text})


def no_process(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the interpreter was asked")

    monkeypatch.setattr(interpreter, "ask", refuse)


def test_what_is_not_there_is_found_and_the_second_time_without_a_process(desk, monkeypatch):
    text = "import statistics\nstatistics.mean([1], weights=2)\nstatistics.softmax([1])\n"
    first = check(desk, text)
    assert len(first) == 2
    assert "`statistics.mean` takes no argument `weights`; it takes data" in first[0]
    assert "`statistics` has no `softmax`" in first[1]
    no_process(monkeypatch)
    assert check(desk, text) == first
    assert check(desk, text + "x = 1\n") == first


def test_of_frozen_files_nothing_is_imported_and_nothing_asked(desk, monkeypatch):
    no_process(monkeypatch)
    (found,) = check(desk, "from harness import world\nworld.points(size=2)\n")
    assert "`harness.world.points` takes no argument `size`; it takes count=…" in found
    assert check(desk, "from harness import world\nworld.points(count=2)\n") == ()
    (found,) = check(desk, "from harness import losses\n")
    assert "`harness` has no `losses`" in found


def test_what_the_coder_may_edit_is_neither_asked_nor_judged(desk, monkeypatch):
    no_process(monkeypatch)
    assert check(desk, "import plot\nplot.anything(1)\n") == ()
    assert (
        signatures.findings(
            desk, FILES, {"experiment.py": "import json\njson.anything(1)\n", "json.py": "def anything(x): ...\n"}
        )
        == ()
    )


def test_a_folder_that_the_coder_may_add_to_is_not_judged(desk, monkeypatch):
    no_process(monkeypatch)
    desk.template = desk.template.model_copy(update={"editable": ("experiment.py", "harness/own.py")})
    changed = {
        "experiment.py": "from harness import own\nown.anything(1)\n",
        "harness/own.py": "def anything(x): ...\n",
    }
    assert signatures.findings(desk, FILES, changed) == ()


def test_what_was_said_about_another_state_of_the_packages_is_not_used(desk, tmp_path):
    text = "import statistics\nstatistics.softmax([1])\n"
    packages = tmp_path / "site-packages"
    packages.mkdir()
    desk.machine = {**MACHINE, "folders": [str(packages)]}
    assert len(check(desk, text)) == 1
    kept = desk.layout.root.parent / ".cache" / "signatures"
    assert len(list(kept.iterdir())) == 1
    (packages / "new-1.0.dist-info").mkdir()
    assert len(check(desk, text)) == 1
    assert len(list(kept.iterdir())) == 2


def test_answers_that_cannot_be_read_are_asked_for_again(desk):
    text = "import statistics\nstatistics.softmax([1])\n"
    first = check(desk, text)
    (kept,) = (desk.layout.root.parent / ".cache" / "signatures").iterdir()
    for broken in ("{", "[]", '{"statistics.softmax": 3}', "\x00"):
        kept.write_text(broken)
        assert check(desk, text) == (first if broken != '{"statistics.softmax": 3}' else ())


@pytest.mark.parametrize("prefix", [("/bin/false",), ("/no/such/python",), ("/bin/sleep", "30")])
def test_an_interpreter_that_does_not_answer_refuses_nothing(desk, prefix):
    desk.interpreter = prefix
    text = "import statistics\nstatistics.softmax([1])\n"
    assert signatures.findings(desk, FILES, {"experiment.py": text}, patience=0.5) == ()
    assert not (desk.layout.root.parent / ".cache" / "signatures").exists()


def test_a_change_without_imports_asks_nothing(desk, monkeypatch):
    no_process(monkeypatch)
    assert check(desk, "x = 1\n") == ()
    assert check(desk, "not python (", name="notes.txt") == ()


def test_a_person_who_interrupts_need_not_wait_for_the_interpreter(desk):
    desk.interpreter, desk.state.interrupted = ("/bin/sleep", "60"), True
    started = time.monotonic()
    with pytest.raises(Interrupted):
        check(desk, "import statistics\nstatistics.softmax([1])\n")
    assert time.monotonic() - started < 10
