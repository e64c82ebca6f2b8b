"""The experiment's own interpreter is asked what there is. Small modules stand for libraries; one slow test uses real ones."""

import re
import sys
import time
import types
from pathlib import Path

import pytest

from agent.core import known, open_names, signatures
from agent.core.known import Missing, There, Unknown
from agent.runners import tiers
from agent.runners.asking import calls, main, results, sources
from agent.runners.asking.main import MARK
from agent.runners.inspect import fingerprint
from agent.runners.signatures import PATIENCE, ask

PYTHON = (sys.executable,)
LIBRARY = """
import functools
import inspect
import types

class Meta(type):
    def __call__(cls, *args): ...

class Plain:
    level: int
    def __init__(self, size, *, seed=0):
        self.size = size
        self.hidden = lambda x: x
    def step(self, closure=None): ...
    def hidden(self, nothing): ...
    def again(self) -> "Plain": ...
    @staticmethod
    def made(a): ...
    @classmethod
    def read(cls, path) -> "Plain": ...
    @property
    def double(self): ...

class Small(Plain):
    def late(self):
        self.later = 3

class Dynamic:
    def __getattr__(self, name): ...

class Setting:
    def __init__(self, **fields):
        for name in fields:
            setattr(self, name, 1)

class Filling:
    def fill(this, other, name):
        setattr(other, name, 1)

class Restoring:
    def __setstate__(self, state):
        self.__dict__.update(state)

class Odd(metaclass=Meta):
    def __init__(self, a): ...

class Given:
    def __new__(cls, a, b=1):
        return object.__new__(cls)

class Data:
    pass

def renamed(old, new):
    def decorate(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            if old in kwargs:
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)
        return inner
    return decorate

@renamed("colour", "color")
def draw(x, color=1): ...

@functools.lru_cache
def kept(a): ...

def strict(function):
    @functools.wraps(function)
    def inner(x):
        return function(x, 1)
    return inner

@strict
def two(x, y): ...

class First:
    @classmethod
    def load(cls, name, **kwargs): ...

def copied(method):
    return functools.update_wrapper(types.FunctionType(method.__code__, {}), method)

class Second(First):
    load = classmethod(copied(First.load))

def empty(a, b=inspect.Parameter.empty, *, c=inspect.Parameter.empty): ...

def open_ended(a, **kwargs): ...

def __getattr__(name):
    if name == "lazy":
        return draw
    raise AttributeError(name)
"""


CONFIG = """
class Config:
    field: int = 3
    other = 4
    def __init__(self, given, *, named=1):
        self.own = 3
"""
MODEL = """
class XModel(Base):
    def __init__(self, first): ...
def forward(x, y=(1, {2: 3}), *more): kwargs.pop('popped')
"""


@pytest.fixture(autouse=True)
def library(monkeypatch):
    """A library that can be imported under the name `invented_library`."""
    module = types.ModuleType("invented_library")
    exec(LIBRARY, module.__dict__)
    monkeypatch.setitem(sys.modules, "invented_library", module)
    return module


def told(path):
    return known.answer(main.told(f"invented_library.{path}", open_names.to_json()))


def taken(path):
    found = told(path)
    assert isinstance(found, There), found
    return found.signature


@pytest.mark.parametrize(("path", "parameters"), [
    ("Plain", "size! seed"), ("Plain().step", "closure"), ("Plain.step", "self! closure"), ("Plain().made", "a!"),
    ("Plain.read", "path!"), ("Plain().read", "path!"), ("Plain.read().step", "closure"), ("Plain().again().step", "closure"),
    ("Small().again().step", None), ("Given", "a! b"), ("Data", None), ("kept", "a!"), ("two", "x!"), ("draw", "x! color"),
    ("lazy", "x! color"), ("Small", "size! seed"), ("empty", "a! b c"), ("Second.load", "name!"),
])  # fmt: skip
def test_how_something_is_called(path, parameters):
    if parameters is None:
        found = told(path)
        assert isinstance(found, Unknown) or (isinstance(found, There) and found.signature is None)
    else:
        assert " ".join(p.name + "!" * p.required for p in taken(path).parameters) == parameters


def test_a_decorator_that_knows_an_old_name_lets_it_through():
    assert "colour" in taken("draw").also
    assert not taken("kept").also


@pytest.mark.parametrize(("path", "owner"), [
    ("nothing", "invented_library"), ("Plain.nothing", "invented_library.Plain"), ("Plain().nothing", "invented_library.Plain"),
    ("Restoring().nothing", "invented_library.Restoring"), ("nothing.at.all", "invented_library"),
    ("Data().nothing", "invented_library.Data"), ("Filling().nothing", "invented_library.Filling"),
])  # fmt: skip
def test_what_is_not_there(path, owner):
    found = told(path)
    assert isinstance(found, Missing)
    assert (found.owner, found.name) == (owner, "nothing")


def test_near_names_are_told():
    assert "step" in told("Plain().steps").near


@pytest.mark.parametrize("path", [
    "Plain().size", "Plain().level", "Small().later", "Dynamic().anything", "Setting().anything", "Odd().anything", "Plain().double",
    "Plain().hidden", "Plain().double.anything", "open_ended().anything", "Plain().size.anything",
])  # fmt: skip
def test_what_may_be_there_is_not_missing(path):
    found = told(path)
    assert not isinstance(found, Missing)
    assert not (isinstance(found, There) and found.signature is not None)


def test_a_class_whose_metaclass_makes_the_instances_may_take_anything():
    assert taken("Odd") is None


def test_what_functions_of_c_say_of_themselves_is_believed():
    found = known.answer(main.told("math.hypot", open_names.to_json()))
    assert isinstance(found, There)
    assert isinstance(known.answer(main.told("math.clamp", open_names.to_json())), Missing)
    assert isinstance(known.answer(main.told("no_such_package_at_all.x", open_names.to_json())), Unknown)


def test_submodules_that_nobody_imported_are_there_and_others_of_the_package_are_not():
    assert isinstance(known.answer(main.told("xml.dom.minidom", open_names.to_json())), There)
    assert isinstance(known.answer(main.told("xml.dom.maxidom", open_names.to_json())), Missing)


def test_what_a_module_of_c_lacks_may_be_in_another_build(library, monkeypatch):
    library._native = types.ModuleType("invented_library._native")
    monkeypatch.setitem(sys.modules, "invented_library._native", library._native)
    assert isinstance(told("_native.nothing"), Unknown)


def test_a_module_that_is_hidden_by_a_name_of_its_package_counts_as_well(tmp_path, monkeypatch):
    package = tmp_path / "hiding_package"
    package.mkdir()
    (package / "__init__.py").write_text("from .tool import tool\n")
    (package / "tool.py").write_text("class tool: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    tables = open_names.to_json()
    assert isinstance(known.answer(main.told("hiding_package.tool.tool", tables)), There)
    assert isinstance(known.answer(main.told("hiding_package.tool.other", tables)), Unknown)
    assert isinstance(known.answer(main.told("hiding_package.other", tables)), Missing)


def test_pools_are_gathered_from_sources(tmp_path, monkeypatch):
    package = tmp_path / "gathered_package"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '4.1'\n")
    (package / "config.py").write_text(
        "class Config:\n    field: int = 3\n    other = 4\n    def __init__(self, given, *, named=1):\n        self.own = 3\n"
    )
    (package / "model.py").write_text(
        "class XModel(Base):\n    def __init__(self, first): ...\ndef forward(x, y=(1, {2: 3}), *more): kwargs.pop('popped')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    gather = sources.gathered
    assert {"field", "other", "own"} <= gather(["fields", "gathered_package/config.py"])
    assert gather(["parameters", "gathered_package/*.py", "__init__"]) == {"self", "given", "named", "first"}
    assert gather(["parameters", "gathered_package/model.py", "forward"]) == {"x", "y", "more"}
    assert gather(["strings", "gathered_package/model.py"]) == {"popped"}
    assert gather(["initial", "gathered_package/*.py", r".*Model"]) == {"self", "first"}
    assert gather(["at least", "gathered_package", "4"]) and not gather(["at least", "gathered_package", "5"])
    assert sources.pool_of([["names", "a"], ["strings", "gathered_package/gone.py"]]) is None


# --- the process ---


def test_many_names_are_answered_by_one_process():
    found = ask(
        PYTHON,
        ["json.dumps", "json.dump_all", "subprocess.run", "argparse.ArgumentParser().add_arguments"],
        wanted="none",
    )
    assert found is not None
    assert found["json.dump_all"]["is"] == "missing"
    assert found["json.dumps"]["call"]["pool"] == "json encoders"
    assert {"cwd", "shell", "timeout"} <= set(found["pool processes"]["names"])
    assert found["argparse.ArgumentParser().add_arguments"]["near"][0] == "add_argument"


def test_a_question_that_is_longer_than_a_pipe_reaches_a_slow_interpreter():
    names = [f"math.invented_function_number_{number}" for number in range(9000)]
    slow = ("/bin/sh", "-c", 'sleep 0.7; exec "$@"', "sh", *PYTHON)
    found = ask(slow, names, wanted="none", patience=30)
    assert found is not None and len(found) == len(names)


def test_what_an_editable_file_is_called_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "statistics.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = ask(PYTHON, ["statistics.mean"], wanted="none")
    assert found is not None and found["statistics.mean"]["is"] == "there"
    assert not (tmp_path / "ran").exists()


def test_the_interpreter_is_started_in_isolation():
    echo = f"""echo '{MARK}{{"flag": "'$1'", "folder": "'$(pwd)'"}}'"""
    found = ask(("/bin/sh", "-c", echo, "sh"), ["json"], wanted="none")
    assert found is not None and (found["flag"], found["folder"]) == ("-I", "/")


def test_keys_of_the_environment_do_not_reach_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "secret")
    seen = tmp_path / "seen"
    ask(("/bin/sh", "-c", f"env > {seen}"), ["json"], wanted="none")
    assert "HF_HUB_OFFLINE=1" in seen.read_text()
    assert "secret" not in seen.read_text()


def test_a_library_that_prints_when_it_is_imported_does_not_disturb():
    found = ask(PYTHON, ["this.s"], wanted="none")
    assert found is not None and found["this.s"]["is"] == "there"


@pytest.mark.parametrize("prefix", [("/bin/false",), ("/no/such/python",), ("/bin/echo", "ai-scientist-signatures:{")])
def test_no_answer_is_no_answer(prefix):
    assert ask(prefix, ["json"], wanted="none") is None


def test_a_library_that_ends_the_process_takes_no_other_answers_with_it():
    """What came before it is known; itself is not asked again; what comes after it is another question."""
    ending = (
        "/bin/sh",
        "-c",
        f'head -c 10 > /dev/null; echo \'{MARK}{{}}\'; echo \'{MARK}{{"ast.x": {{"is": "missing"}}}}\'; exit 11',
    )
    found = ask(ending, ["ast.x", "bad.a", "bad.b().c", "csv.y"], wanted="none")
    assert found == {"ast.x": {"is": "missing"}, "bad.a": {"is": "unknown"}, "bad.b().c": {"is": "unknown"}}


def test_a_library_that_hangs_is_asked_again_another_time():
    hanging = ("/bin/sh", "-c", f'echo \'{MARK}{{}}\'; echo \'{MARK}{{"ast.x": {{"is": "missing"}}}}\'; sleep 60')
    assert ask(hanging, ["ast.x", "bad.a"], wanted="none", patience=0.7) == {"ast.x": {"is": "missing"}}
    half = ("/bin/sh", "-c", f"echo '{MARK}{{}}'; echo '{MARK}{{\"ast.x\": '; sleep 60")
    assert ask(half, ["ast.x", "bad.a"], wanted="none", patience=0.7) == {}


def test_an_unknown_sandbox_is_no_reason_to_do_without():
    assert ask(PYTHON, ["json"], wanted="gone") is None


@pytest.mark.slow
def test_an_interpreter_that_hangs_is_ended_with_its_children(tmp_path):
    started = time.monotonic()
    assert (
        ask(("/bin/sh", "-c", f"(sleep 3; echo > {tmp_path}/late) & sleep 60"), ["json"], wanted="none", patience=0.5)
        is None
    )
    assert time.monotonic() - started < 5
    time.sleep(3)
    assert not (tmp_path / "late").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_calls_that_large_libraries_do_not_know_are_found_and_right_ones_are_let_through():
    """The frozen cases; bench/invented.py counts them by kind, and looks at real files, too."""
    folder = Path(__file__).parents[1] / "core" / "invented"
    wrong, right = ([part.split("\n", 1) for part in re.split(r"(?m)^### ", (folder / f"{which}.txt").read_text())[1:]]
                    for which in ("wrong", "right"))  # fmt: skip
    wrong = [(header, text) for header, text in wrong if "harness" not in text]
    names = {name for _, text in [*wrong, *right] for name in signatures.wanted({"a.py": text})}
    own = ("harness", "experiment", "plot", "probes", "helper")
    kept = ask(PYTHON, [name for name in names if name.split(".")[0] not in own], wanted="none", patience=PATIENCE * 2)
    assert kept is not None
    answers = known.chosen(names, kept)
    missed = [header for header, text in wrong if not signatures.findings({}, {"a.py": text}, answers)]
    assert [header for header in missed if not header.startswith("open")] == []
    assert len(missed) <= 0.2 * sum(header.startswith("open") for header, _ in wrong)
    assert [found for _, text in right for found in signatures.findings({}, {"a.py": text}, answers)] == []
    assert len(wrong) > 100 and len(right) > 80


def test_the_program_that_is_sent_is_old_python():
    """No annotations or calls that Python 3.6 lacks, as far as its grammar goes."""
    import ast

    for name in ("objects", "instances", "results", "sources", "calls", "main"):
        text = Path(calls.__file__).with_name(f"{name}.py").read_text()
        ast.parse(text, feature_version=(3, 6))
        assert "collections.abc" not in text and "str | " not in text and "list[" not in text
    assert results.find("json.dumps") is not None


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["bwrap", "landlock"])
def test_the_interpreter_is_asked_behind_the_walls_of_a_run(tier, tmp_path):
    if not (found := tiers.probe(tier, held=False)).works:
        pytest.skip(found.said)
    folders = fingerprint(PYTHON).folders
    answered = ask(PYTHON, ["statistics.softmax"], folders, tier)
    assert answered is not None and answered["statistics.softmax"]["is"] == "missing"
    (tmp_path / "secret").write_text("secret")
    spy = f"""echo '{MARK}{{"seen": "'$(cat {tmp_path}/secret; echo x > {tmp_path}/written; echo done)'"}}'"""
    assert ask(("/bin/sh", "-c", spy), ["json"], folders, tier)["seen"] == "done"
    assert ask(("/bin/sh", "-c", spy), ["json"], folders, "none")["seen"] == "secretdone"
