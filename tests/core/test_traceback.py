"""What is read out of a log: every claim here is one about real tracebacks of Python and of the libraries around it."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.traceback import LONGEST, is_progress, read, window


def printed(program, tmp_path):
    """What Python itself writes when `program` fails."""
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr


def types(chain):
    return [raised.type for raised in chain]


CHAINED = """
def f():
    try:
        {}["a"]
    except KeyError as error:
        raise ValueError("no a") from error
try:
    f()
except ValueError:
    1 / 0
"""


def test_a_chain_is_read_with_its_first_failure_first(tmp_path):
    (chain,) = read(printed(CHAINED, tmp_path)).final
    assert [(raised.type, raised.link) for raised in chain] == [
        ("KeyError", ""),
        ("ValueError", "cause"),
        ("ZeroDivisionError", "context"),
    ]
    assert chain[0].frames[-1].source == '{}["a"]'
    assert [raised.translates for raised in chain] == [False, True, False]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_each_member_of_a_group_is_a_chain_of_its_own(tmp_path):
    group = "raise ExceptionGroup('two', [ValueError('a'), ExceptionGroup('inner', [KeyError('b'), OSError('c')])])"
    final = read(printed(group, tmp_path)).final
    assert [types(chain) for chain in final] == [
        ["ExceptionGroup"], ["ValueError"], ["ExceptionGroup"], ["KeyError"], ["OSError"],
    ]  # fmt: skip


def test_what_a_pool_raised_in_a_child_comes_before_what_the_parent_says(tmp_path):
    program = """
import multiprocessing
def work(n):
    return 1 / n
if __name__ == "__main__":
    with multiprocessing.Pool(1) as pool:
        pool.map(work, [0])
"""
    (chain,) = read(printed(program, tmp_path)).final
    assert types(chain) == ["ZeroDivisionError", "ZeroDivisionError"]
    assert chain[0].frames[-1].function == "work"


def test_the_original_of_a_dataloader_worker_comes_before_what_repeats_it():
    text = """Traceback (most recent call last):
  File "experiment.py", line 3, in main
    for batch in loader:
KeyError: Caught KeyError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "data.py", line 9, in __getitem__
    return rows[index]
KeyError: 4
"""
    (chain,) = read(text).final
    assert [raised.frames[0].path for raised in chain] == ["data.py", "experiment.py"]


def test_a_thread_that_fails_is_aside_and_the_main_program_counts(tmp_path):
    program = "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nraise SystemError('empty')\n"
    reading = read(printed(program, tmp_path))
    assert [types(chain) for chain in reading.final] == [["SystemError"]]
    assert [types(chain) for chain in reading.aside] == [["ZeroDivisionError"]]


def test_what_was_printed_and_handled_is_earlier(tmp_path):
    program = (
        "import traceback\ntry:\n    1 / 0\nexcept ArithmeticError:\n    traceback.print_exc()\nraise ValueError('x')\n"
    )
    reading = read(printed(program, tmp_path))
    assert types(reading.final[0]) == ["ValueError"]
    assert [types(chain) for chain in reading.earlier] == [["ZeroDivisionError"]]


def test_what_is_ignored_at_the_end_is_ignored(tmp_path):
    program = (
        "class Late:\n    def __del__(self):\n        raise OSError('late')\nkept = Late()\nraise ValueError('x')\n"
    )
    text = printed(program, tmp_path)
    assert text.index("ValueError") < text.index("OSError: late")
    assert types(read(text).final[0]) == ["ValueError"]


def test_a_traceback_without_its_beginning_is_read():
    text = '  File "a.py", line 3, in g\n    h()\n  File "b.py", line 1, in h\n    1 / 0\nZeroDivisionError: division by zero\n'
    ((raised,),) = read(text[5:]).final
    assert (raised.first_line, len(raised.frames)) == ("ZeroDivisionError: division by zero", 1)


def test_a_traceback_without_its_end_is_broken():
    reading = read('Traceback (most recent call last):\n  File "a.py", line 3, in g\n    h()\n')
    assert (reading.final, reading.broken) == ((), True)


def test_the_first_failure_is_known_though_its_traceback_was_cut_off():
    text = """TimeoutError: timed out

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "a.py", line 3, in g
    raise Gone("gave up") from error
Gone: gave up
"""
    (chain,) = read(text).final
    assert types(chain) == ["TimeoutError", "Gone"]


@pytest.mark.parametrize("mark", ["[rank0]: ", "[Rank 12]: ", "\x1b[31m", "\r 20%|##  | 2/10 [00:01<00:02]\r"])
def test_what_stands_before_the_lines_is_taken_off(mark):
    lines = ["Traceback (most recent call last):", '  File "a.py", line 3, in g', "    h()", "ValueError: x"]
    ((raised,),) = read("".join(f"{mark}{line}\n" for line in lines)).final
    assert (raised.first_line, raised.frames[0].path) == ("ValueError: x", "a.py")


def test_another_threads_line_in_the_middle_does_not_end_a_traceback():
    text = """Traceback (most recent call last):
  File "a.py", line 3, in g
    h()
INFO: step 3
  File "b.py", line 1, in h
    1 / 0
ZeroDivisionError: division by zero
"""
    ((raised,),) = read(text).final
    assert raised.type == "ZeroDivisionError"
    assert [frame.path for frame in raised.frames] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        (" 45%|####5     | 45/100 [00:01<00:01, 33.10it/s]", True),
        ("model.safetensors: 100%|██████████| 1.2G/1.2G [00:10<00:00, 110MB/s]", True),
        ("[========>    ] 3/10", True),
        ("accuracy 45%", False),
        ("epoch 3: loss 0.31", False),
        ("ValueError: 45%|# is no share", False),
    ],
)
def test_progress_is_told_from_output(line, progress):
    assert is_progress(line.strip() if progress else line) == progress


def test_of_a_large_log_the_last_traceback_is_kept_wherever_it_stands():
    failure = 'Traceback (most recent call last):\n  File "a.py", line 3, in g\n    h()\nValueError: x\n'
    text = "before\n" * 500_000 + failure + "after\n" * 500_000 + "the end\n"
    assert len(window(text)) < 3 * LONGEST
    reading = read(text)
    assert types(reading.final[0]) == ["ValueError"]
    assert "the end" in reading.lines


PIECES = st.sampled_from([
    "Traceback (most recent call last):", "Original Traceback (most recent call last):", '  File "a.py", line 3, in g',
    '  File "a.py", line 99999999999999999, in g', "    x = 1", "    ~~^~~", "ValueError: x", "E:", "a.b.<locals>.Error",
    "During handling of the above exception, another exception occurred:", "", '"""', "Exception in thread T:",
    "The above exception was the direct cause of the following exception:", "  +-+---------------- 1 ----------------",
    "    +------------------------------------", "  + Exception Group Traceback (most recent call last):", "  | E: x",
    "Exception ignored in: <x>", "Process Process-1:", "\r 10%|# | 1/10\r", "[rank0]: ", "\x1b[", "KeyboardInterrupt",
])  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=30), st.sampled_from(["\n", "\r\n", "\r"]))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_read(pieces, end):
    reading = read(end.join(pieces))
    assert all(chain and all(raised.type for raised in chain) for chain in (*reading.final, *reading.earlier))
    assert not (reading.final == () and reading.earlier)


@pytest.mark.parametrize(
    "line", ['  File "' + "x" * 5000, " | " * 5000, "a." * 5000 + ": x", "(" * 20_000, "\x1b[" * 5000]
)
def test_no_line_takes_long_to_read(line):
    started = time.process_time()
    read(f"{line}\n" * 50)
    assert time.process_time() - started < 1
