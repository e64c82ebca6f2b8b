"""What two texts of one file have to share so that a run of the second would be a run of the first."""

import ast
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.sameness import essence

PYTHON = """
'''What this is.'''
import os


class Net:
    \"\"\"A net.\"\"\"
    width: int = 3  # channels

    def loss(self, x, scale=0.001):
        '''The loss.'''
        total = (x * scale) + self.width
        return {"a": total, 'b': [1, 2]}


def main():
    # go
    print(Net().loss(2))
"""

# (what was done, old, new)
NOTHING_NEW = [
    ("a comment was added", "x = 1\n", "# one\nx = 1  # the one\n"),
    ("a comment was changed", "x = 1  # old\n", "x = 1  # new\n"),
    ("blank lines", "x = 1\ny = 2\n", "\n\nx = 1\n\n\ny = 2\n\n"),
    ("quotes", "x = 'a'\n", 'x = "a"\n'),
    ("parentheses", "x = 1 + 2 * 3\n", "x = (1 + (2 * 3))\n"),
    ("another way to write a number", "lr = 1e-3\n", "lr = 0.001\n"),
    ("underscores in a number", "n = 1000\n", "n = 1_000\n"),
    ("line breaks inside brackets", "f(1, 2)\n", "f(\n    1,\n    2,\n)\n"),
    ("indentation", "if x:\n    y = 1\n", "if x:\n  y = 1\n"),
    ("semicolons", "x = 1\ny = 2\n", "x = 1; y = 2\n"),
    ("a module's docstring", '"""Old."""\nx = 1\n', '"""New."""\nx = 1\n'),
    ("a docstring where there was none", "def f():\n    return 1\n", 'def f():\n    """One."""\n    return 1\n'),
    ("a docstring instead of pass", "class A(Exception):\n    pass\n", 'class A(Exception):\n    """It."""\n'),
    ("a text that is a comment", "x = 1\n", "x = 1\n'''\nold code\n'''\n"),
    ("a pass that does nothing", "def f():\n    x = 1\n    return x\n", "def f():\n    x = 1\n    pass\n    return x\n"),
    ("the u of a text", "x = 'a'\n", "x = u'a'\n"),
    ("carriage returns", "x = 1\ny = 2\n", "x = 1\r\ny = 2\r\n"),
    ("a byte order mark", "x = 1\n", "\ufeffx = 1\n"),
    ("a joined text", "x = 'ab'\n", "x = 'a' 'b'\n"),
    ("elif written out", "if a:\n    x = 1\nelif b:\n    x = 2\n", "if a:\n    x = 1\nelse:\n    if b:\n        x = 2\n"),
    ("decorated and commented", "@f\ndef g(): pass\n", "# why\n@f\n# because\ndef g():\n    # nothing\n    pass\n"),
]  # fmt: skip
SOMETHING_NEW = [
    ("a number", "x = 1\n", "x = 2\n"),
    ("an integer became a float", "x = 1\n", "x = 1.0\n"),
    ("true is not one", "x = 1\n", "x = True\n"),
    ("minus zero", "x = 0.0\n", "x = -0.0\n"),
    ("a local name", "def f():\n    a = 1\n    return a\n", "def f():\n    b = 1\n    return b\n"),
    ("dead code", "x = 1\n", "x = 1\nif False:\n    x = 2\n"),
    ("the order of statements", "a()\nb()\n", "b()\na()\n"),
    ("the order of imports", "import a\nimport b\n", "import b\nimport a\n"),
    ("an operator", "x = a + b\n", "x = a - b\n"),
    ("a text inside a call", "f('a')\n", "f('b')\n"),
    ("a docstring that the file reads", '"""Old."""\nprint(__doc__)\n', '"""New."""\nprint(__doc__)\n'),
    ("a default", "def f(x=1): pass\n", "def f(x=2): pass\n"),
    ("an annotation", "class A:\n    x: int = 1\n", "class A:\n    x: float = 1\n"),
    ("a decorator", "def f(): pass\n", "@g\ndef f(): pass\n"),
    ("async", "async def f(): pass\n", "def f(): pass\n"),
    ("a text's bytes", "x = 'a'\n", "x = b'a'\n"),
    ("a constant returned", "def f():\n    return None\n", "def f():\n    return 0\n"),
    ("how deep a line is", "for a in b:\n    c()\nd()\n", "for a in b:\n    c()\n    d()\n"),
    ("a format of an f-string", "f'{x}'\n;y = f'{x}'\n".replace("\n;", "\n"), "f'{x}'\ny = f'{x:.2f}'\n"),
]  # fmt: skip
FILES_ALIKE = [
    ("c.json", '{"a": 1, "b": [1, 2]}', '{\n  "b": [1, 2],\n  "a": 1\n}\n'),
    ("c.toml", "a = 1\n[b]\nc = 'x'\n", "# what\na = 1   # one\n\n[b]\nc = \"x\"\n"),
    ("c.yaml", "a: 1\nb:\n  - x\n  - y\n", "# what\nb: [x, y]\na: 1\n"),
    ("c.yml", "a: 1\n", "a:   1  # one\n"),
    ("c.ini", "[a]\nb = 1\n", "; what\n[a]\nb=1\n"),
    ("c.cfg", "[a]\nb = 1\n", "# what\n[a]\n\nb: 1\n"),
    ("run.sh", "echo 1\n", "echo 1\r\n"),
]  # fmt: skip
FILES_UNLIKE = [
    ("c.json", '{"a": 1}', '{"a": 1.0}'),
    ("c.json", '{"a": [1, 2]}', '{"a": [2, 1]}'),
    ("c.json", '{"a": 1}', '{"a": 1'),  # broken: compared as it is
    ("c.toml", "a = 1\n", "a = 2\n"),
    ("c.yaml", "a: 1\n", "a: '1'\n"),
    ("c.yaml", "a: |\n  # kept\n  x\n", "a: |\n  x\n"),
    ("c.ini", "[a]\nb = 1\n", "[a]\nb = 2\n"),
    ("c.txt", "a b\n", "a  b\n"),
    ("c.py", "x = (\n", "x = ((\n"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "old", "new"), NOTHING_NEW, ids=[c[0] for c in NOTHING_NEW])
def test_what_changes_no_measurement_leaves_the_essence(what, old, new):
    assert essence("experiment.py", old) == essence("experiment.py", new)


@pytest.mark.parametrize(("what", "old", "new"), SOMETHING_NEW, ids=[c[0] for c in SOMETHING_NEW])
def test_what_may_change_a_measurement_changes_the_essence(what, old, new):
    assert essence("experiment.py", old) != essence("experiment.py", new)


@pytest.mark.parametrize(("name", "old", "new"), FILES_ALIKE)
def test_configuration_files_are_compared_as_what_they_say(name, old, new):
    assert essence(name, old) == essence(name, new)


@pytest.mark.parametrize(("name", "old", "new"), FILES_UNLIKE)
def test_configuration_files_that_say_something_else_differ(name, old, new):
    assert essence(name, old) != essence(name, new)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_comments_and_blank_lines_anywhere_leave_the_essence(seed):
    draw, lines = random.Random(seed), []
    inside = False  # a text over several lines is no place for comments
    for line in PYTHON.splitlines():
        if not inside and draw.random() < 0.4:
            lines.append(" " * draw.randrange(9) + draw.choice(["# x = 2", "", "#"]))
        lines.append(
            line
            + draw.choice(["", "  ", "  # so"] if line.strip() and "'''" not in line and '"""' not in line else [""])
        )
        inside ^= (line.count("'''") + line.count('"""')) % 2 == 1
    assert essence("a.py", "\n".join(lines)) == essence("a.py", PYTHON)


def test_every_changed_number_or_text_of_a_program_is_seen():
    tree = ast.parse(PYTHON)
    seen = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and not (isinstance(node.value, str) and " " in node.value):
            old = node.value
            node.value = "other" if isinstance(old, str) else 7.5
            assert essence("a.py", ast.unparse(tree)) != essence("a.py", PYTHON)
            node.value = old
            seen += 1
    assert seen >= 6


@given(st.text(max_size=200), st.sampled_from(["a.py", "a.json", "a.toml", "a.yaml", "a.ini", "a"]))
def test_any_text_has_an_essence(text, name):
    assert essence(name, text) == essence(name, text)
