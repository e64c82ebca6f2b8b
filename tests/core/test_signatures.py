"""What is said about names and calls that cannot work, and what is left alone. The real cases are in invented/."""
# ruff: noqa: E501 - a case is a line

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.frozen_api import answers
from agent.core.known import Missing, Parameter, Pool, Signature, There, Unknown, answer, chosen, pool_key
from agent.core.shapes import Shape
from agent.core.signatures import findings, misfits, wanted
from agent.core.uses import uses

ADAM = Signature((Parameter("params", required=True), Parameter("lr"), Parameter("betas")))
LOAD = Signature(
    (Parameter("path", required=True), Parameter("split")), kwargs=True, pool="formats", unless=frozenset({"trust"})
)
KNOWN = {
    "lib.Adam": There(ADAM),
    "lib.Adam()": There(),
    "lib.Adam().step": There(Signature((Parameter("closure"),))),
    "lib.Adam().set_lr": Missing("lib.Adam", "set_lr", ("step",)),
    "lib.load": There(LOAD),
    "lib.load().go": Missing("lib.Loaded", "go"),
    "torch.npu.is_available": Missing("torch", "npu"),
    "lib.lion": Missing("lib", "lion", ("line", "link")),
    "lib.sub": There(),
    pool_key("formats"): Pool(frozenset({"sep", "columns", "trust_remote_code"})),
    "functools.partial": There(),
}


def said(text, before="", known=KNOWN):
    return findings({"a.py": textwrap.dedent(before)}, {"a.py": textwrap.dedent(text)}, known)


SAID = {
    "a name of the class, which its methods do not see": ("import lib\nclass C:\n    lib = 3\n    def f(self):\n        lib.lion()\n", ["line 5"]),
    "no code from the hub": ("import lib\nlib.load('a', trust_remote_code=False).go()\n", ["`lib.Loaded` has no `go`"]),
    "own attributes by force": ("import lib\nclass C:\n    def f(self, d):\n        self.__dict__.update(d)\n        lib.lion()\n", ["`lion`"]),
    "settings by force": ("import lib\ndef f(args, d):\n    vars(args).update(d)\n    lib.lion()\n", ["`lion`"]),
    "a condition that is itself wrong": ("import lib\nif lib.lion():\n    version = 3\n", ["`lion`"]),
    "an argument that is not there": ("import lib\nlib.Adam(p, rate=3)\n", ["line 2", "`lib.Adam(p, rate=3)`", "no argument `rate`", "lr=…"]),
    "a name that is nearly right": ("import lib\nlib.Adam(p, beta=3)\n", ['did you mean "betas"?']),
    "too many without a name": ("import lib\nlib.Adam(1, 2, 3, 4)\n", ["at most 3 arguments without a name, not 4"]),
    "one that it needs": ("import lib\nlib.Adam(lr=3)\n", ["needs `params`"]),
    "given twice": ("import lib\nlib.Adam(1, params=3)\n", ["`params` twice"]),
    "under another name": ("from lib import Adam as A\nA(1, rate=2)\n", ["`lib.Adam` takes no argument `rate`"]),
    "an instance": ("import lib\no = lib.Adam(1)\no.step(foo=1)\n", ["`lib.Adam.step` takes no argument `foo`", "closure"]),
    "a method that is not there": ("import lib\no = lib.Adam(1)\no.set_lr(1)\n", ["`lib.Adam` has no `set_lr`"]),
    "an instance in self": (
        "import lib\nclass R:\n    def __init__(self):\n        self.o = lib.Adam(1)\n    def go(self):\n        self.o.set_lr(1)\n",
        ["line 6", "`set_lr`"],
    ),
    "a call on a call": ("import lib\nlib.Adam(1).set_lr(2)\n", ["`set_lr`"]),
    "a name of a module": ("import lib\nlib.lion()\n", ["`lib` has no `lion`", "line"]),
    "an import": ("from lib import lion\n", ["`lib` has no `lion`"]),
    "an import over several lines": ("from lib import (\n    Adam,\n    lion,\n)\n", ["line 3", "`lion,`"]),
    "a chain over several lines": ("import lib\n(lib\n .lion\n ())\n", ["line 3"]),
    "an import in a function": ("def f():\n    from lib import lion\n", ["line 2"]),
    "an argument of an open function": ("import lib\nlib.load('a', timeout=3)\n", ["`lib.load` takes no argument `timeout`"]),
    "what only the other function knows": ("import lib\nlib.load('a', column=3)\n", ['no argument `column` (did you mean "columns"?)']),
    "a partial": ("import functools, lib\nf = functools.partial(lib.Adam, decay=1)\n", ["`decay`"]),
    "through a name": ("import lib\nmake = lib.Adam\nmake(1, decay=1)\n", ["`decay`"]),
    "in a try that only retries": ("import lib\ntry:\n    lib.load('a', timeout=3)\nexcept Exception:\n    print('again')\n", ["`timeout`"]),
    "after itself": ("import lib\no = lib.Adam(1)\no = o.to('cpu')\no.set_lr(1)\n", ["`set_lr`"]),
}  # fmt: skip
SILENT = {
    "a version, and what comes after it": "import lib\nif lib.__version__ < '2':\n    raise OSError\nlib.lion()\n",
    "a version": "import lib\nif lib.__version__ > '2':\n    lib.lion()\nelse:\n    lib.lion(3)\n",
    "an operating system": "import lib, os\nif os.name == 'nt':\n    lib.lion()\n",
    "TypeError with another way": "import lib\ntry:\n    lib.Adam(1, fused=2)\nexcept TypeError:\n    other(1)\n",
    "code from the hub": "import lib\nlib.load('a', trust_remote_code=True).go()\n",
    "a global of a function": "import lib\ndef f():\n    global lib\n    lib = 3\nlib.lion()\n",
    "a name of the function around": "import lib\ndef f():\n    lib = 3\n    def g():\n        return lib.lion\n",
    "nonlocal": "def f():\n    import lib\n    def g():\n        nonlocal lib\n        lib = 3\n    lib.lion()\n",
    "stars that may hold what opens": "import lib\nlib.load('a', timeout=3, **k)\n",
    "a device of another package": "import torch\ntorch.npu.is_available()\n",
    "what is right": "import lib\nlib.Adam(1, lr=2)\nlib.load('a', sep=1, split=2)\nlib.Adam(1).step(closure=3)\n",
    "what nobody knows": "import other\nother.f(1, foo=2)\nlib.lion()\n",
    "stars": "import lib\nlib.Adam(*a, **k)\nlib.Adam(**k)\nlib.load(**k)\n",
    "more to come": "import functools, lib\nf = functools.partial(lib.Adam, lr=1)\n",
    "a parameter": "import lib\ndef f(lib):\n    lib.lion()\n",
    "rebound": "import lib\nlib = object()\nlib.lion()\n",
    "rebound by a loop": "import lib\nfor lib in []:\n    lib.lion()\n",
    "rebound in a comprehension": "import lib\nx = [lib.lion for lib in []]\n",
    "rebound by with": "import lib\nwith open('a') as lib:\n    lib.lion()\n",
    "two classes": "import lib\no = lib.Adam(1) if x else 3\nif y:\n    o = lib.load('a')\nelse:\n    o = lib.Adam(1)\no.set_lr(1)\n",
    "asked": "import lib\nif hasattr(lib, 'lion'):\n    lib.lion()\n",
    "asked before": "import lib\nif not hasattr(lib, 'lion'):\n    raise OSError\nlib.lion()\n",
    "asked in one condition": "import lib\nif lib.__version__ > '2' and lib.lion():\n    pass\n",
    "expected": "import lib\ntry:\n    lib.lion()\nexcept AttributeError:\n    pass\n",
    "import with a fallback": "try:\n    from lib import lion\nexcept ImportError:\n    lion = None\nlion(1)\n",
    "a call with a fallback": "import lib\ntry:\n    lib.Adam(1, fused=2)\nexcept TypeError:\n    lib.Adam(1)\n",
    "a call with another one after it": "import lib\ntry:\n    lib.Adam(1, fused=2)\nexcept Exception:\n    lib.Adam(1)\n",
    "set here": "import lib\nlib.lion = 3\nlib.lion()\n",
    "set on an instance": "import lib\no = lib.Adam(1)\no.set_lr = 3\no.set_lr(1)\n",
    "replaced function": "import lib\nlib.Adam = f\nlib.Adam(1, 2, 3, 4, 5)\n",
    "annotations": "import lib\ndef f(x: lib.lion) -> lib.lion:\n    y: lib.lion = 3\n",
    "a later star": "from lib import Adam\nfrom mine import *\nAdam(foo=3)\n",
    "exec": "import lib\nexec('x')\nlib.lion()\n",
    "attributes of a module by force": "import lib\nvars(lib)['lion'] = 3\nlib.lion()\n",
    "attributes of a module by force, again": "import lib\nlib.__dict__.update(x)\nlib.lion()\n",
    "modules by force": "import lib, sys\nsys.modules['lib'] = 3\nlib.lion()\n",
    "names by force": "import lib\nglobals()['lib'] = 3\nlib.lion()\n",
    "attributes by force": "import lib\nfor n in ns:\n    setattr(lib, n, 3)\nlib.lion()\n",
    "for type checkers": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lib import lion\n",
    "own class of the same name": "from lib import Adam\nclass Adam:\n    pass\nAdam(foo=1)\n",
    "anything goes": "import lib\nlib.load('a', trust=1, timeout=3)\n",
    "no Python": "import lib lib lion(",
    "relative": "from . import lib\nlib.lion()\n",
    "deleted": "import lib\ndel lib\nlib.lion()\n",
    "an attribute of self that is set twice": (
        "import lib\nclass R:\n    def __init__(self):\n        self.o = lib.Adam(1)\n    def go(self):\n        self.o = 3\n        self.o.set_lr(1)\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_what_cannot_work_is_said_with_what_would(name):
    text, words = SAID[name]
    found = said(text)
    assert len(found) == 1
    assert "a.py would fail in line" in found[0]
    assert [word for word in words if word not in found[0]] == []


@pytest.mark.parametrize("name", SILENT)
def test_doubt_is_silence(name):
    assert said(SILENT[name]) == ()


def test_what_was_there_before_is_not_said_again_even_if_its_line_moved():
    before = "import lib\nlib.lion()\n"
    assert said("import lib\n\n\nlib.lion()\n", before) == ()
    assert len(said("import lib\nlib.lion()\nx = lib.lion()\n", before)) == 1


def test_the_same_mistake_in_many_lines_is_one_sentence_and_many_mistakes_are_not_all_listed():
    (one,) = said("import lib\nlib.lion(1)\nlib.lion(2)\nlib.lion(3)\n")
    assert "(the same in lines 3, 4)" in one
    many = said("import lib\n" + "".join(f"lib.Adam(1, a{n}=2)\n" for n in range(12)))
    assert len(many) == 9
    assert many[-1] == "… and 4 more like these"


def test_what_is_wanted_are_paths_through_calls_and_no_names_of_the_file():
    text = "import lib.sub as s\nfrom lib import Adam\no = Adam(1)\no.step()\ns.f.g\nmine.f()\n"
    assert wanted({"a.py": text, "b.txt": "import os"}) == {
        "lib.sub", "lib.Adam", "lib.Adam().step", "lib.sub.f.g"
    }  # fmt: skip


NAMES = ("a", "b", "c", "d", "e")


@st.composite
def signatures_drawn(draw):
    kinds = sorted(draw(st.lists(st.sampled_from(["pk", "po", "ko"]), max_size=5)), key=["po", "pk", "ko"].index)
    parameters, optional = [], False
    for name, kind in zip(NAMES, kinds, strict=False):
        required = draw(st.booleans()) and not (optional and kind != "ko")
        optional = optional or (not required and kind != "ko")
        parameters.append(Parameter(name, kind, required))
    return Signature(tuple(parameters), draw(st.booleans()), draw(st.booleans()))


def real(signature):
    """The same for Python itself."""
    words = []
    positional = [p for p in signature.parameters if p.kind != "ko"]
    for place, p in enumerate(positional):
        words.append(p.name if p.required else f"{p.name}=0")
        if p.kind == "po" and [q.kind for q in positional[place + 1 : place + 2]] != ["po"]:
            words.append("/")
    named = [p.name if p.required else f"{p.name}=0" for p in signature.parameters if p.kind == "ko"]
    words += ["*args"] if signature.args else ["*"] if named else []
    words += [*named, *(["**kwargs"] if signature.kwargs else [])]
    made = {}
    exec(f"def f({', '.join(words)}): pass", made)
    return made["f"]


@given(signatures_drawn(), st.integers(0, 6), st.sets(st.sampled_from([*NAMES, "f"])))
def test_a_call_is_refused_exactly_if_python_would_refuse_it(signature, positional, keywords):
    shape = Shape(positional, tuple(sorted(keywords)))
    try:
        real(signature)(*range(positional), **dict.fromkeys(keywords, 0))
        works = True
    except TypeError:
        works = False
    assert (list(misfits(shape, signature, {})) == []) == works


@given(signatures_drawn(), st.integers(0, 6), st.sets(st.sampled_from([*NAMES, "f"])), st.booleans(), st.booleans())
def test_a_call_with_stars_is_refused_only_if_no_contents_of_them_could_work(
    signature, positional, keywords, star, double
):
    shape = Shape(positional, tuple(sorted(keywords)), starred=star, doubled=double)
    if list(misfits(shape, signature, {})):
        for more in range(6 if star else 1):
            given_names = {p.name for p in signature.parameters} if double else set()
            given_names -= {p.name for p in signature.parameters[: positional + more]}
            with pytest.raises(TypeError):
                real(signature)(*range(positional + more), **dict.fromkeys(keywords | given_names, 0))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(st.sampled_from(["is", "call", "params", "names", "owner", "name", "near", "x"]), v)
        ),
    )
)
def test_answers_that_are_broken_are_no_answers(data):
    assert isinstance(answer(data), (Unknown, Missing, There, Pool))


def test_a_decorator_that_knows_other_names_may_fill_what_is_needed():
    signature = Signature((Parameter("color", required=True),), also=frozenset({"colour"}))
    assert list(misfits(Shape(0, ("colour",)), signature, {})) == []
    assert [about for about, _ in misfits(Shape(0, ("colors",)), signature, {})] == ["colors"]


def test_of_what_is_kept_only_what_is_needed_is_read():
    call = {"params": [], "kwargs": True, "pool": "p"}
    kept = {
        "a": {"is": "there", "call": call},
        "b": {"is": "unknown"},
        "pool p": {"is": "pool", "names": ["x"]},
        "pool q": 3,
    }
    assert set(chosen(["a", "zz"], kept)) == {"a", "pool p"}


def test_every_file_of_this_program_can_be_read():
    for path in Path("agent").rglob("*.py"):
        for use in uses(ast.parse(path.read_text("utf-8"))):
            assert use.path and use.line > 0


# --- the template's frozen files ---

FROZEN = {
    "harness/__init__.py": "",
    "harness/data.py": '''
import numpy as np
from dataclasses import dataclass
from functools import cache

SIZE = 3

@dataclass(frozen=True)
class Batch:
    x: int
    width: int = 3

class World:
    def __init__(self, name, *, seed=0):
        self.name = name
    def steps(self, size): ...
    @property
    def length(self): ...
    @staticmethod
    def made(a): ...
    @classmethod
    def read(cls, path): ...

class Strange(Base):
    pass

@cache
def worlds(): ...

@wrapped
def odd(a): ...

def twice(a): ...
twice = 3

def again(a): ...
def again(a, b): ...
''',
    "harness/open.py": "def __getattr__(name): ...\n",
    "harness/deep/inner.py": "def go(a, *, b): ...\n",
    "score.py": "def main(a): ...\n",
}  # fmt: skip
OF_FROZEN = {
    "from harness.data import worlds\nworlds()\n": [],
    "from harness.data import worlds\nworlds('a')\n": ["`harness.data.worlds` takes no arguments without a name, not 1"],
    "from harness import data\ndata.words()\n": ["`harness.data` has no `words`", 'did you mean "worlds"?'],
    "from harness import dat\n": ["`harness` has no `dat`"],
    "import harness.losses\n": ["`harness` has no `losses`"],
    "from harness.data import np, SIZE, twice, odd\nnp.zeros(1)\ntwice(1, 2)\nodd(1, 2, 3)\n": [],
    "from harness.data import again\nagain(1)\nagain(1, 2)\n": [],
    "from harness.data import Batch\nBatch(1, width=2).x\n": [],
    "from harness.data import Batch\nBatch(1, 2, 3)\n": ["at most 2"],
    "from harness.data import Batch\nBatch(1).y\n": ["`harness.data.Batch` has no `y`"],
    "from harness.data import World\nw = World('a', seed=3)\nw.steps(1)\nw.name\nw.length.anything\nWorld.made(1)\nw.read('p')\n": [],
    "from harness.data import World\nw = World('a', 3)\n": ["at most 1"],
    "from harness.data import World\nw = World('a')\nw.steps(1, 2)\n": ["`harness.data.World.steps`"],
    "from harness.data import World\nw = World('a')\nw.read()\n": ["needs `path`"],
    "from harness.data import Strange\nStrange(1, 2).anything(3)\n": [],
    "from harness import open\nopen.anything(3)\n": [],
    "from harness.deep import inner\ninner.go(1)\n": ["needs `b`"],
    "import score\nscore.main(1)\nscore.__file__\n": [],
    "import score.more\n": ["`score` has no `more`"],
    "import elsewhere\nelsewhere.go(1)\n": [],
}  # fmt: skip


@pytest.mark.parametrize("text", OF_FROZEN)
def test_frozen_files_are_read_and_not_imported(text):
    found = said(text, known=answers(wanted({"a.py": text}), FROZEN))
    assert len(found) == bool(OF_FROZEN[text]), found
    assert [words for words in OF_FROZEN[text] if words not in found[0]] == []


def test_a_frozen_file_that_is_no_python_may_hold_anything():
    text = "from harness.broken import anything\nanything(1)\n"
    assert said(text, known=answers(wanted({"a.py": text}), {"harness/broken.py": "def ("})) == ()
