"""What the linter finds in a change, and what it must never find. The cases were written before the code."""
# ruff: noqa: E501 - a case is a line

import ast
import hashlib
import importlib.util
import inspect
from pathlib import Path

import pytest
from pyflakes import messages

from agent.core.lint import FATAL, HARMLESS, findings

FOUND = {
    "a typo": ("def train():\n    return 1\n\nresult = trian()\n", ["line 4", "`result = trian()`", "`trian`", 'did you mean "train"?']),
    "a typo of a builtin": ("print(lenght([1]))\nn = rnage(3)\n", ["`rnage`", 'did you mean "range"?']),
    "a typo of a parameter": ("def f(learning_rate):\n    return learning_rte * 2\n", ["`learning_rte`", 'did you mean "learning_rate"?']),
    "a module nobody imports": ("def f():\n    return np.zeros(3)\n", ["`np` is not imported in this file", "`return np.zeros(3)`"]),
    "a class nobody imports": ("batches = DataLoader([1])\n", ["`DataLoader` is not imported in this file"]),
    "another function's local": ("def train():\n    loss = 1\n\ndef test():\n    return loss\n", ["`loss`", "only inside `train`", "line 5"]),
    "an attribute without its class": ("class Net:\n    width = 3\n    def go(self):\n        return width\n", ["`width`", "only inside `Net`"]),
    "a name that is never bound, in a lambda": ("f = lambda x: x + biass\n", ["`biass`"]),
    "in a comprehension": ("xs = [scale_it(x) for x in range(3)]\n", ["`scale_it`"]),
    "in an f-string": ("epoch = 1\nprint(f'{epohc:03d}')\n", ["`epohc`", 'did you mean "epoch"?']),
    "in a default": ("def f(x=DEFALT):\n    return x\n", ["`DEFALT`"]),
    "in a decorator": ("@cached_one\ndef f():\n    pass\n", ["`cached_one`"]),
    "a base class": ("class Net(Modul):\n    pass\n", ["`Modul`"]),
    "an annotation that is evaluated": ("def f(x: np.ndarray):\n    return x\n", ["`np` is not imported"]),
    "a sum that starts nowhere": ("def f(xs):\n    for x in xs:\n        total += x\n    return total\n", ["`total`", "before", "line 3"]),
    "a conditional sum that starts nowhere": ("for x in [1]:\n    if x:\n        total += x\n", ["`total`"]),
    "used in the loop before its value": ("for x in range(3):\n    print(loss)\n    loss = x\n", ["`loss`", "before"]),
    "a loop that waits for what it sets": ("while not done:\n    done = True\n", ["`done`", "before"]),
    "main is called too early": ("if __name__ == '__main__':\n    main()\n\ndef main():\n    pass\n", ["`main`", "before", "line 2"]),
    "statements in the wrong order": ("def f(Net, Adam):\n    opt = Adam(net.parameters())\n    net = Net()\n", ["`net`", "before"]),
    "a counter without global": ("count = 0\ndef f():\n    count += 1\n", ["`count`", "before", "line 3"]),
    "an import too late in the function": ("import os\ndef f():\n    os.makedirs('a')\n    import os\n", ["`os`", "before", "line 3"]),
    "a builtin shadowed by its own result": ("def f(a):\n    max = max(a)\n    return max\n", ["`max`", "before"]),
    "deleted and used": ("x = 1\ny = lambda: gone\ndel gone\n", ["`gone`"]),
    "an exception after its handler": ("def f():\n    try:\n        pass\n    except ValueError as error:\n        pass\n    return error\n", ["`error`"]),
    "in code that nobody calls": ("def never():\n    undefined_helper()\n", ["`undefined_helper`"]),
    "under except Exception": ("def f(x):\n    try:\n        return trian(x)\n    except Exception:\n        return 0\n", ["`trian`"]),
    "a loop that waits for what it sets, short circuit": ("while True and not done:\n    done = True\n", ["`done`", "before"]),
    "a comprehension that comes too early": ("xs = [helper(x) for x in [1]]\ndef helper(x):\n    return x\n", ["`helper`", "before", "line 2"]),
    "annotated and never set": ("model: int\ndef run():\n    return model\n", ["`model`"]),
    "in a handler of NameError": ("try:\n    x = 1\nexcept NameError:\n    spam()\n", ["`spam`"]),
    "exec in a namespace of its own": ("exec('x = 1', {})\nprint(spam)\n", ["`spam`"]),
    "exec does not hide other mistakes": ("exec('x = 1')\nprint(x)\nprint('%s' % (1, 2))\n", ["line 3"]),
    "globals only compared": ("if 'a' in globals():\n    pass\nprint(spam)\n", ["`spam`"]),
    "globals only read": ("keys = [k for k, v in globals().items()]\nx = {k: globals()[k] for k in keys}\nprint(spam)\n", ["`spam`"]),
    "percent: too few": ("print('%s and %s' % (1,))\n", ["2", "1", "%"]),
    "percent: too many": ("print('%d' % (1, 2))\n", ["1", "2", "%"]),
    "percent: no such key": ("print('%(loss)s' % {'los': 1})\n", ["loss", "%"]),
    "percent: a mapping for two": ("print('%s %s' % {'a': 1})\n", ["%"]),
    "percent: a tuple for names": ("print('%(a)s' % (1, 2))\n", ["%"]),
    "percent: unknown letter": ("print('%y' % 3)\n", ["`%y`"]),
    "percent: unfinished": ("print('accuracy 100%' % 3)\n", ["%"]),
    "format: too few": ("print('{} {}'.format(1))\n", [".format", "1"]),
    "format: no such name": ("print('{loss:.3f}'.format(los=1))\n", [".format", "loss"]),
    "format: json": ("x = '{\"a\": {}}'.format(1)\n", [".format"]),
    "format: mixed": ("x = '{} {0}'.format(1)\n", [".format"]),
    "format: lone brace": ("x = '{} }'.format(1)\n", [".format"]),
    "raise NotImplemented": ("def f():\n    raise NotImplemented\n", ["NotImplementedError"]),
    "raise NotImplemented()": ("def f():\n    raise NotImplemented('later')\n", ["NotImplementedError"]),
    "print >>": ("import sys\nprint >> sys.stderr, 'x'\n", ["print"]),
    "return outside": ("return 1\n", ["return", "outside"]),
    "yield outside": ("class A:\n    yield 1\n", ["yield", "outside"]),
    "break outside": ("def f():\n    break\n", ["break", "outside"]),
    "continue outside": ("continue\n", ["continue", "outside"]),
    "two stars": ("*a, *b = [1]\n", ["star"]),
    "a parameter twice": ("def f(a, a):\n    pass\n", ["`a`", "twice"]),
}  # fmt: skip

SILENT = {
    "star import": "from numpy import *\nx = zeros(3)\ndef f():\n    return ones(1)\n",
    "guarded by NameError": "try:\n    unicode\nexcept NameError:\n    unicode = str\n",
    "guarded in a tuple, further out": "def f():\n    try:\n        try:\n            return spam\n        except ValueError:\n            pass\n    except (KeyError, NameError):\n        return 0\n",
    "guarded by suppress": "import contextlib\nwith contextlib.suppress(NameError):\n    spam()\n",
    "TYPE_CHECKING import": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy as np\ndef f(x: 'np.ndarray'):\n    return x\n",
    "only for the type checker": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    spam(1)\n",
    "string annotation": "from typing import Optional, List\ndef f(x: 'np.ndarray', y: Optional['Spam'] = None, *a: List['Eggs']) -> 'torch.Tensor':\n    z: 'Ham' = 1\n    return z\n",
    "broken string annotation": "def f(x: 'a b c', y: 'batch seq'):\n    pass\n",
    "future annotations": "from __future__ import annotations\ndef f(x: np.ndarray) -> Spam:\n    y: Eggs = 1\n    return y\nz: Ham = 1\n",
    "annotation of a local": "def f(self):\n    x: np.ndarray = 1\n    self.y: Spam = 2\n    return x\n",
    "cast by name": "from typing import cast, TypeVar\nx = cast('np.ndarray', 1)\nT = TypeVar('T', bound='Spam')\n",
    "type comment": "x = []  # type: List[Spam]\ndef f(a):\n    # type: (Spam) -> Eggs\n    return a\n",
    "conditional import": "try:\n    import wandb\nexcept ImportError:\n    pass\ndef f():\n    wandb.log({})\n",
    "conditional definition": "import sys\nif len(sys.argv) > 1:\n    mode = 1\nprint(mode)\n",
    "defined later, used in a function": "def main():\n    return helper() + LIMIT\ndef helper():\n    return 1\nLIMIT = 3\nmain()\n",
    "global set elsewhere": "def setup():\n    global model\n    model = 1\ndef run():\n    return model\n",
    "annotated global set elsewhere": "model: int\ndef run():\n    return model\ndef setup():\n    global model\n    model = 1\n",
    "annotated global set before": "model: int\ndef setup():\n    global model\n    model = 1\ndef run():\n    return model\n",
    "global in the function": "count = 0\ndef f():\n    global count\n    count += 1\n",
    "nonlocal": "def f():\n    def g():\n        nonlocal n\n        n += 1\n    n = 0\n    g()\n    return n\n",
    "the value of the round before": "def f(xs):\n    for i, x in enumerate(xs):\n        if i > 0:\n            print(last - x)\n        last = x\n",
    "the round before, at the top": "step = 0\nwhile step < 3:\n    if step:\n        print(loss)\n    loss = step\n    step += 1\n",
    "the round before, and a global of the name": "best = 9\ndef f(xs):\n    for i, x in enumerate(xs):\n        if i:\n            print(best)\n        best = x\n",
    "the round before, short circuit": "for i in range(3):\n    if i and last > i:\n        pass\n    last = i\n",
    "the round before, inner loop": "for i in range(3):\n    for j in range(i):\n        print(row)\n    row = i\n",
    "the round before, in a value": "for i in range(3):\n    x = i and last\n    last = i\n",
    "the round before, in a comprehension": "for i in range(3):\n    if i:\n        xs = [last for _ in range(2)]\n    last = i\n",
    "the round before, from a comprehension": "for i in range(3):\n    if i:\n        print(y)\n    xs = [y for x in [1] if (y := x)]\n",
    "deleted in a handler": "def f(xs):\n    for x in xs:\n        try:\n            loss = x()\n        except RuntimeError:\n            del loss\n            continue\n        print(loss)\n",
    "deleted on another way": "def f(model, xs):\n    for x in xs:\n        del model\n        return None\n    return model\n",
    "deleted at the top, used in a function before": "config = {}\ndef f():\n    return config\nx = f()\ndel config\n",
    "module names": "print(__file__, __name__, __doc__, __spec__, __path__, __builtins__)\n",
    "class magic": "class A:\n    name = __qualname__ + __module__\n    def f(self):\n        return __class__\n",
    "notebook names": "display(1)\nget_ipython().run_line_magic('matplotlib', 'inline')\nIn, Out\n",
    "typing's and profilers' names": "reveal_type(1)\nreveal_locals()\n@profile\ndef f():\n    return __line_profiler__\n",
    "newer builtins": "try:\n    pass\nexcept ExceptionGroup:\n    pass\nx = aiter, anext, BaseExceptionGroup\n",
    "doctest": "def f():\n    '''\n    >>> spam(1)\n    >>> x = (\n    '''\n",
    "exec": "exec(open('configurator.py').read())\nprint(batch_size)\n",
    "globals written": "globals().update({'lr': 1})\nprint(lr)\n",
    "globals set one by one": "for key in ['a']:\n    globals()[key] = 1\nprint(a)\n",
    "globals handed on": "import argparse\ndef inject(names):\n    names['a'] = 1\ninject(globals())\nprint(a)\n",
    "builtins written": "import builtins\nbuiltins.log = print\nlog(1)\n",
    "asked for first": "if 'spam' in globals():\n    print(spam)\n",
    "this module by its name": "import sys\nsetattr(sys.modules[__name__], 'spam', 1)\nspam\n",
    "exported members": "import enum\n@enum.global_enum\nclass Flag(enum.Flag):\n    LOUD = 1\nLOUD\n",
    "deleted from a star": "from os import *\ndel path\n",
    "an import that a loop brings round": "import os\ndef f(xs):\n    for x in xs:\n        if x:\n            os.stat(x)\n        import os\n",
    "the module a function imports again": "import os\ndef f():\n    import os\n    return os.sep\n",
    "old Python": "import sys\nif sys.version_info[0] < 3:\n    x = unicode\nelse:\n    x = str\n",
    "percent with a list": "print('%s' % [1, 2])\nprint('%r' % [])\n",
    "percent with nothing": "print('100%%' % ())\nprint('none' % {})\n",
    "percent with a splat": "a = (1, 2)\nprint('%s %s' % (*a,))\nprint('%s %s' % a)\n",
    "percent with more keys": "print('%(a)s' % {'a': 1, 'b': 2})\n",
    "percent dict then name": "print('%s %(a)s' % {'a': 1})\n",
    "percent nested key": "print('%(a(b))s' % {'a(b)': 1})\n",
    "format with more": "print('{}'.format(1, 2, x=3))\n",
    "format with a splat": "a = [1]\nk = {}\nprint('{} {}'.format(*a), '{x}'.format(**k))\n",
    "format parts": "print('{0.real} {0[1]} {x:{w}}'.format(1, x=2, w=3), '{{}}'.format())\n",
    "bad style": "import os, sys\ndef f(x):\n    unused = 1\n    if (x, 1):\n        pass\n    assert (x, 'message')\n    return x is 'a'\ndef f(x):\n    print(f'nothing')\n    return {'a': 1, 'a': 2}\n",
    "exports nobody defines": "more = []\n__all__ = ['spam']\n__all__ += ['eggs'] + more\n",
    "abstract method": "def f():\n    return NotImplemented\ndef g():\n    raise NotImplementedError\n",
    "match": "def f(x):\n    match x:\n        case {'a': a, **rest}:\n            return a, rest\n        case [first, *others] | (first, others):\n            return first, others\n        case y:\n            return y\n",
    "walrus": "def f(xs):\n    if (n := len(xs)) > 1:\n        return n\n    return [y for x in xs if (y := x)], y\n",
    "class scope": "class A:\n    n = 3\n    xs = [x for x in range(n)]\n    m = n\n",
    "super and self": "class A:\n    def f(self):\n        return super().f(), __class__\n",
    "no Python at all": "%matplotlib inline\n!pip install x\n",
    "nested too deeply": "x = " + "(" * 80 + "spam" + ")" * 80 + "\ny = " + "-" * 3000 + "1\n",
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_what_would_fail_is_found(case):
    code, words = FOUND[case]
    said = " | ".join(findings({}, {"experiment.py": code}))
    assert said.startswith("experiment.py would fail in line "), said
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize("case", SILENT)
def test_what_may_well_work_is_not_found(case):
    assert findings({}, {"experiment.py": SILENT[case]}) == ()


@pytest.mark.parametrize("case", FOUND)
def test_what_was_there_before_is_not_found(case):
    code, _ = FOUND[case]
    moved = "'''A module.'''\n\n" + code
    assert findings({"experiment.py": code}, {"experiment.py": code}) == ()
    assert findings({"experiment.py": code}, {"experiment.py": moved}) == ()


def test_a_second_copy_of_an_old_finding_is_new():
    one, two = "def f():\n    return spam\n", "def f():\n    return spam\ndef g():\n    return spam\n"
    assert "line 4" in findings({"a.py": one}, {"a.py": two})[0]
    assert findings({"a.py": two}, {"a.py": one}) == ()


def test_an_old_finding_may_be_indented():
    assert findings({"a.py": "spam()\n"}, {"a.py": "if True:\n    spam()\n"}) == ()


def test_a_line_that_stays_but_loses_its_import_is_new():
    (said,) = findings({"a.py": "import json\njson.dumps(1)\n"}, {"a.py": "\njson.dumps(1)\n"})
    assert said == "a.py would fail in line 2 after the change, `json.dumps(1)`: `json` is not imported in this file"


def test_one_name_is_named_once_with_all_its_lines():
    code = "import os\n" + "np.zeros(1)\n" * 3 + "plt.plot()\n"
    first, second = findings({}, {"a.py": code})
    assert first.endswith("`np` is not imported in this file (the same in lines 3, 4)")
    assert "`plt`" in second


def test_the_order_is_that_of_the_files_and_lines_and_the_rest_is_counted():
    many = "\n".join(f"spam_{n}_{'abcdefghijkl'[n] * 9}" for n in range(11))
    said = findings({}, {"b.py": "eggs\n", "a.py": many})
    assert len(said) == 9
    assert [s.split(" after")[0] for s in said[:2]] == ["a.py would fail in line 1", "a.py would fail in line 2"]
    assert said[-1] == "… and 4 more like these"


def test_only_python_is_read_and_each_changed_file_is():
    code = "spam()\n"
    assert findings({}, {"notes.txt": code, "conf.toml": code, "a.pyx": code}) == ()
    assert [s.split()[0] for s in findings({}, {"plot.py": code, "probes.py": code})] == ["plot.py", "probes.py"]


def test_submodules_are_names_of_their_package():
    code = "from .spam import x\ndel spam\n"
    assert findings({}, {"eggs/__init__.py": code}) == ()


def test_a_long_line_is_cut():
    (said,) = findings({}, {"a.py": "x = spam + '" + "y" * 5000 + "'\n"})
    assert len(said) < 400


def test_text_that_is_no_text_is_no_finding():
    for text in ("\ud800 = spam\n", "x = '\0'\n", "(" * 5000, "x = " + " + ".join(["1"] * 20_000) + "\n", ""):
        assert findings({}, {"a.py": text}) == ()


def test_each_kind_of_finding_is_decided():
    kinds = {
        name for name, kind in inspect.getmembers(messages, inspect.isclass) if issubclass(kind, messages.Message)
    } - {"Message"}
    assert kinds - set(FATAL) - set(HARMLESS) == set()
    assert set(FATAL) & set(HARMLESS) == set()


# --- installed libraries, read in place ---

LIBRARIES = ("torch", "transformers", "sklearn", "matplotlib", "scipy", "datasets")
# All that was found in the 17,786 files of an environment was looked at by hand: 52 names in 30 files. 49 of them would fail
# when reached, or are meant to; 3 are `channel`, in code that is sent to another process which defines it. Before
# `__init__.py` was left out there were 18 more, all false: submodules, a name that C sets, and one that a flag keeps from Python 3.
TRUE_ONES = {
    "datasets/packaged_modules/spark/spark.py": "`shutil` is not imported in this file",
    "numpy/f2py/_src_pyf.py": "`os` is not imported in this file",
    "numpy/testing/overrides.py": "`np` is not imported in this file",
    "fontTools/tfmLib.py": "`ne` is not defined in this file",
    "torch/testing/_internal/common_quantization.py": "`criterion` is not defined here; it exists only inside `train_one_epoch`",
}


def installed(path):
    library, _, rest = path.partition("/")
    spec = importlib.util.find_spec(library)
    return Path(spec.submodule_search_locations[0]) / rest if spec and spec.submodule_search_locations else Path("none")


def chosen(library, count):
    """The same files each time, all over the library."""
    root = installed(library + "/")
    known = {installed(path) for path in TRUE_ONES}
    files = [p for p in root.rglob("*.py") if 1_000 < p.stat().st_size < 30_000 and p not in known]
    files = [p for p in files if not p.name.startswith("modular_")]  # transformers' templates of code: not run
    return sorted(files, key=lambda p: hashlib.sha256(p.relative_to(root).as_posix().encode()).digest())[:count]


def without_an_import(text):
    """The text without its first plain import that a function uses, or None."""
    tree = ast.parse(text)
    used = {
        n.id
        for f in ast.walk(tree)
        if isinstance(f, ast.FunctionDef)
        for s in f.body
        for n in ast.walk(s)
        if isinstance(n, ast.Name)
    }
    for node in tree.body:
        one = isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno == node.end_lineno and len(node.names) == 1
        if one and (node.names[0].asname or node.names[0].name) in used:
            lines = text.splitlines(keepends=True)
            return "".join([*lines[: node.lineno - 1], "\n", *lines[node.lineno :]])
    return None


@pytest.mark.parametrize("library", LIBRARIES)
def test_forty_files_of_a_library_hold_no_finding_and_nearly_each_lost_import_is_one(library):
    if not (files := chosen(library, 40)):
        pytest.skip(f"{library} is not installed")
    texts = {path.as_posix(): path.read_text("utf-8") for path in files}
    assert findings({}, texts) == ()
    assert findings(texts, texts) == ()
    worse = {name: broken for name, text in texts.items() if (broken := without_an_import(text))}
    found = [name for name, text in worse.items() if findings(texts, {name: text})]
    assert len(found) >= 0.85 * len(worse) and len(worse) >= 15


@pytest.mark.parametrize("path", TRUE_ONES)
def test_a_real_mistake_in_a_library_is_found_and_was_there_before(path):
    if not (file := installed(path)).exists():
        pytest.skip(f"{path} is not installed")
    text = file.read_text("utf-8")
    if not (said := findings({}, {path: text})):
        pytest.skip(f"{path} is mended")
    assert TRUE_ONES[path] in " | ".join(said)
    assert findings({path: text}, {path: text + "\n"}) == ()
