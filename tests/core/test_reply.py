import time

import pytest

from agent.core.reply import outside_blocks, words

BLOCK = """experiment.py
```python
<<<<<<< SEARCH
{}
=======
{}
>>>>>>> REPLACE
```
"""


@pytest.mark.parametrize(
    "line", ["ALL_COMPLETED", "**ALL_COMPLETED**", "`ALL_COMPLETED`", "  ALL_COMPLETED.", "ALL_COMPLETED\r"]
)
def test_the_word_on_a_line_of_its_own_ends_the_experiments(line):
    assert words(f"I am done with all of it.\n\n{line}\n").completed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all_completed",
        "I would say ALL_COMPLETED now",
        "ALL_COMPLETED is not what I say",
        "NOT_ALL_COMPLETED",
        "ALL_COMPLETEDLY",
    ],
)
def test_the_word_in_a_sentence_is_only_a_word(text):
    assert not words(text).completed


def test_words_inside_a_block_are_code():
    said = words(
        "Print the word that ends it.\n\n" + BLOCK.format("ALL_COMPLETED\nBASE: run_1", "ALL_COMPLETED\nBASE: run_2")
    )
    assert not said.completed
    assert said.base == ""
    assert said.summary == "Print the word that ends it."


def test_words_after_a_block_count():
    said = words(BLOCK.format("a", "b") + "\nALL_COMPLETED\nBASE: run_7\n")
    assert said.completed
    assert said.base == "run_7"


def test_a_block_that_never_ends_swallows_what_follows():
    assert not words("<<<<<<< SEARCH\nx\n=======\nALL_COMPLETED\n").completed


@pytest.mark.parametrize(
    "line", ["BASE: run_2", "**BASE: run_2**", "- BASE: `run_2`", "BASE:run_2", "base: Run 2", "BASE: 2"]
)
def test_the_base_is_named_on_a_line_of_its_own(line):
    assert words(f"Start again.\n{line}\n").base == "run_2"


@pytest.mark.parametrize(
    "line", ["I start from BASE: run_2", "BASE: run_2 because it is good", "BASE: run_0_a-b", "BASE:"]
)
def test_a_base_in_a_sentence_or_without_a_run_is_none(line):
    assert words(f"Start again.\n{line}\n").base == ""


def test_the_last_base_counts():
    assert words("BASE: run_1\nNo, rather:\nBASE: run_0_zero\n").base == "run_0_zero"


@pytest.mark.parametrize(
    ("reply", "summary"),
    [
        ("Halve the learning rate.\nMore.", "Halve the learning rate."),
        ("# Plan for it all\n\n```python\nx = 1 + 2\n```\n**Use a larger batch size**", "Use a larger batch size"),
        ("experiment.py\n" + "word " * 40, "word " * 14 + "w…"),
        ("Ok\n\nBASE: run_1 is the best", ""),
        ("", ""),
    ],
)
def test_the_first_sentence_is_the_summary(reply, summary):
    assert words(reply).summary == summary


def test_a_summary_cannot_steer_a_terminal_or_break_a_commit():
    said = words("Clear \x1b[2J the \x07 whole\0 screen \ud800 now").summary
    assert said == "Clear �[2J the � whole� screen � now"


def test_outside_a_block_nothing_is_lost():
    assert outside_blocks("a\n" + BLOCK.format("x", "y") + "b") == "a\nexperiment.py\n```python\n```\nb"


@pytest.mark.parametrize("noise", ["\n", "-", "- ", "* \n", "BASE: ", "```\n", "<<<<<<< SEARCH\n"])
def test_a_reply_of_noise_is_read_in_no_time(noise):
    began = time.monotonic()
    words(noise * 100_000)
    assert time.monotonic() - began < 2
