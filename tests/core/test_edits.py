"""Claims about replies and edits. The kinds of `bench/edit_cases.py` run here too, on a small text of our own."""

from __future__ import annotations

import dataclasses
import json
import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.core.edits import Applied, Block, Rejected, apply, parse
from bench.edit_cases import KINDS, answer, block, draw_edit, fenced
from bench.edit_cases import Edit as Wanted

TEXT = '''"""Trains a small model on numbers and writes down how well it did."""

import json
import random


class Model:
    """Keeps one weight for each feature."""

    def __init__(self, features, rate=0.1):
        self.weights = [0.0 for _ in range(features)]
        self.rate = rate

    def predict(self, row):
        total = 0.0
        for weight, value in zip(self.weights, row):
            total += weight * value
        return total

    def learn(self, row, target):
        error = target - self.predict(row)
        for index, value in enumerate(row):
            if value:
                step = self.rate * error * value
                self.weights[index] += step
        return error * error


def make_rows(count, features, seed):
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        row = [generator.gauss(0, 1) for _ in range(features)]
        rows.append((row, sum(row) / features))
    return rows


def train(model, rows, epochs=3):
    losses = []
    for epoch in range(epochs):
        loss = sum(model.learn(row, target) for row, target in rows)
        losses.append(loss / len(rows))
        print(f"epoch {epoch}: {losses[-1]:.4f}")
    return losses


def main(out_dir, seed=0):
    model = Model(features=8)
    history = train(model, make_rows(200, 8, seed))
    with open(f"{out_dir}/final_info.json", "w") as handle:
        json.dump({"core": {"means": {"loss": history[-1]}}}, handle)


if __name__ == "__main__":
    main("run_0")
'''
OTHERS = {"plot.py": "import sys\n\nprint(sys.argv)\n", "notes.txt": "Nothing was tried.\n"}
NAME = "experiment.py"


def outcome(reply: str, files: dict[str, str], creatable: tuple[str, ...] = ()) -> dict[str, str] | None:
    result = apply(parse(reply, files), files, creatable)
    return result.files if isinstance(result, Applied) else None


def refusal(reply: str, files: dict[str, str], creatable: tuple[str, ...] = ()) -> str:
    result = apply(parse(reply, files), files, creatable)
    assert isinstance(result, Rejected), result
    return "\n".join(problem.message for problem in result.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_reply_comes_out_as_it_should(kind: str) -> None:
    rng, made = random.Random(kind), 0
    for _ in range(120):
        case = KINDS[kind](NAME, TEXT, draw_edit(TEXT, rng, OTHERS), OTHERS, rng)
        if case is None:
            continue
        made += 1
        got = outcome(case.reply, dict(case.files), case.creatable)
        assert got == case.expected, f"{case.reply}\n{got}"
        if made == 6:
            break
    assert made >= 3


# ---- all or nothing --------------------------------------------------------------------------------------------------

GOOD = block("        self.rate = rate\n", "        self.rate = rate / 2\n")
BAD = block("        self.rate = speed\n", "        self.rate = 1\n")


def test_one_bad_block_holds_back_the_good_ones_and_their_union_with_its_fix_applies() -> None:
    files = {NAME: TEXT}
    rejected = apply(parse(fenced(NAME, GOOD + BAD), files), files)
    assert isinstance(rejected, Rejected)
    assert [kept.search for kept in rejected.good] == ["        self.rate = rate\n"]
    assert [problem.block.search for problem in rejected.problems] == ["        self.rate = speed\n"]
    fixed = parse(fenced(NAME, block("    return losses\n", "    return losses[-1:]\n")), files)
    applied = apply([*rejected.good, *fixed], files)
    assert isinstance(applied, Applied)
    assert "rate / 2" in applied.files[NAME] and "losses[-1:]" in applied.files[NAME]


def test_good_blocks_that_are_sent_again_are_left_out_with_a_note() -> None:
    files = {NAME: TEXT}
    blocks = parse(fenced(NAME, GOOD), files)
    applied = apply([*blocks, *blocks], files)
    assert isinstance(applied, Applied)
    assert applied.files == {NAME: TEXT.replace("self.rate = rate\n", "self.rate = rate / 2\n")}
    assert "left out" in applied.notes[0]


def test_a_good_block_remembers_the_file_that_was_found_for_it() -> None:
    files = {NAME: TEXT, **OTHERS}
    rejected = apply(parse(GOOD + BAD, files), files)
    assert isinstance(rejected, Rejected)
    assert [kept.file for kept in rejected.good] == [NAME]


def test_a_later_block_sees_what_an_earlier_one_wrote() -> None:
    second = block("        self.rate = rate / 2\n", "        self.rate = rate / 4\n")
    assert outcome(fenced(NAME, GOOD + second), {NAME: TEXT}) == {NAME: TEXT.replace("= rate\n", "= rate / 4\n")}


def test_a_block_is_plain_data() -> None:
    (one,) = parse(fenced(NAME, GOOD), {NAME: TEXT})
    assert Block(**json.loads(json.dumps(dataclasses.asdict(one)))) == one
    assert one.line == 3


# ---- nothing changes -------------------------------------------------------------------------------------------------


def test_a_reply_without_blocks_changes_nothing() -> None:
    assert parse("ALL_COMPLETED\n", {NAME: TEXT}) == []
    assert apply([], {NAME: TEXT}) == Applied({})


def test_search_equal_to_replace_is_a_note_and_no_change() -> None:
    same = "        self.rate = rate\n"
    result = apply(parse(fenced(NAME, block(same, same)), {NAME: TEXT}), {NAME: TEXT})
    assert isinstance(result, Applied)
    assert result.files == {} and "changes nothing" in result.notes[0]


def test_an_edit_that_is_there_already_is_refused_and_the_lines_are_named() -> None:
    edited = TEXT.replace("self.rate = rate\n", "self.rate = rate / 2\n")
    said = refusal(fenced(NAME, GOOD), {NAME: edited})
    assert "already in `experiment.py` at line 12" in said and "leave the block out" in said


def test_an_edit_that_is_there_already_does_not_slip_to_a_place_with_another_indentation() -> None:
    before = "def one():\n    x = 2\n\n\ndef two():\n    if x:\n        x = 1\n"
    assert "already" in refusal(fenced(NAME, block("    x = 1\n", "    x = 2\n")), {NAME: before})


# ---- what a refusal says ---------------------------------------------------------------------------------------------


def test_several_places_are_listed_with_their_lines() -> None:
    twice = "a = 1\nb = 2\na = 1\n"
    said = refusal(fenced(NAME, block("a = 1\n", "a = 3\n")), {NAME: twice})
    assert "2 times" in said and "line 1, line 3" in said


def test_overlapping_places_are_two_places() -> None:
    assert "2 times" in refusal(fenced(NAME, block("a\na\n", "b\n")), {NAME: "a\na\na\n"})


def test_a_missing_text_is_answered_with_the_nearest_lines_and_their_numbers() -> None:
    said = refusal(fenced(NAME, BAD), {NAME: TEXT})
    assert "does not stand in `experiment.py`" in said
    assert "   12|         self.rate = rate" in said


def test_a_text_of_another_file_is_said_to_be_there() -> None:
    said = refusal(fenced("plot.py", GOOD), {NAME: TEXT, **OTHERS})
    assert "`experiment.py` at line 12" in said


def test_a_wrong_name_is_answered_with_the_editable_ones() -> None:
    said = refusal(fenced("experimnt.py", GOOD), {NAME: TEXT, **OTHERS})
    assert "Did you mean `experiment.py`?" in said and "`plot.py`" in said


UNSAFE = ["../x.py", "/etc/passwd", "a/../../x", ".git/config", ".GIT/hooks/x.py", "sub/.git/x", "C:\\x.py", "~/x.py",
          "x\\experiment.py", "results/../experiment.py", "experiment.py/x.py"]  # fmt: skip


@pytest.mark.parametrize("name", [*UNSAFE, "harness/experiment.py", "run_0/experiment.py", "Experiment.py"])
def test_a_file_that_is_not_editable_is_not_taken_for_one_that_is(name: str) -> None:
    for decorated in (name, f"### `{name}`", f"Now {name}:"):
        assert outcome(fenced(decorated, GOOD), {NAME: TEXT}) is None


@pytest.mark.parametrize("name", UNSAFE)
def test_no_glob_allows_a_name_outside_the_study(name: str) -> None:
    assert isinstance(apply([Block(name, "", "x\n")], {NAME: TEXT}, ("**", "**/*", "*")), Rejected)


def test_a_glob_star_stays_inside_one_folder() -> None:
    for name, allowed in {"notes/a.txt": True, "notes/b/a.txt": False, "deep/a/b.md": True, "deep/b.md": True}.items():
        made = apply([Block(name, "", "x\n")], {}, ("notes/*.txt", "deep/**/*.md"))
        assert isinstance(made, Applied) == allowed


# ---- no guessing -----------------------------------------------------------------------------------------------------


def test_the_first_of_two_tolerant_places_is_not_taken() -> None:
    before = "if a:\n    return 1\nif b:\n        return 1\n"
    assert "2 times" in refusal(fenced(NAME, block("return 1\n", "return 2\n")), {NAME: before})


def test_an_exact_place_is_preferred_to_a_tolerant_one() -> None:
    before = "if a:\n    go(1)\nif b:\n        go(1)\n"
    after = "if a:\n    go(2)\nif b:\n        go(1)\n"
    assert outcome(fenced(NAME, block("    go(1)\n", "    go(2)\n")), {NAME: before}) == {NAME: after}


def test_lines_that_do_not_shift_by_one_amount_are_not_found() -> None:
    before = "if a:\n    one()\n        \n    two()\n"
    assert outcome(fenced(NAME, block("one()\n  two()\n", "three()\n")), {NAME: before}) is None


def test_a_name_only_on_one_block_is_not_needed_when_the_text_says_which_file() -> None:
    files = {NAME: TEXT, **OTHERS}
    assert outcome(block("print(sys.argv)\n", "print(1)\n"), files) == {"plot.py": "import sys\n\nprint(1)\n"}


def test_without_a_name_a_text_in_two_files_is_refused() -> None:
    files = {"a.py": "x = 1\n", "b.py": "x = 1\n"}
    assert "`a.py`, `b.py`" in refusal(block("x = 1\n", "x = 2\n"), files)


def test_similar_text_is_never_edited() -> None:
    long = "".join(f"line number {n} of a long function\n" for n in range(60))
    assert outcome(fenced(NAME, block(long.replace("59", "60"), "gone\n")), {NAME: long}) is None


def test_three_lines_of_the_same_kind_as_the_divider_need_other_markers() -> None:
    doubled = "<<<<<<< SEARCH\na\n=======\n=======\nb\n>>>>>>> REPLACE\n"
    assert "9 marker characters" in refusal(fenced("notes.txt", doubled), {"notes.txt": "a\n"})


def test_a_block_cut_short_by_an_end_marker_in_its_text_is_not_half_applied() -> None:
    cut = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\nc\n>>>>>>> REPLACE\n"
    assert outcome(fenced("notes.txt", cut), {"notes.txt": "a\n"}) is None


def test_a_block_without_an_end_does_not_swallow_the_next_one() -> None:
    reply = "notes.txt\n<<<<<<< SEARCH\na\n=======\nb\n\nnotes.txt\n" + block("c\n", "d\n")
    assert "no `>>>>>>> REPLACE`" in refusal(reply, {"notes.txt": "a\nc\n"})


def test_markers_that_are_only_talked_about_are_prose() -> None:
    assert parse("I write `<<<<<<< SEARCH` and `>>>>>>> REPLACE` around it.\n", {NAME: TEXT}) == []


# ---- elision ---------------------------------------------------------------------------------------------------------


def test_an_ellipsis_body_is_code_when_the_file_has_it() -> None:
    before = "def f():\n    ...\n\n\ndef g():\n    ...\n"
    edit = block("def f():\n    ...\n", "def f(a):\n    ...\n")
    assert outcome(fenced(NAME, edit), {NAME: before}) == {NAME: before.replace("f()", "f(a)")}


def test_a_new_ellipsis_body_is_code() -> None:
    edit = block("def f():\n    pass\n", "def f():\n    ...\n")
    assert outcome(fenced(NAME, edit), {NAME: "def f():\n    pass\n"}) == {NAME: "def f():\n    ...\n"}


def test_an_ellipsis_among_statements_of_replace_alone_is_refused() -> None:
    edit = block("    losses = []\n    for epoch in range(epochs):\n", "    losses = [0]\n    ...\n")
    assert "would be lost" in refusal(fenced(NAME, edit), {NAME: TEXT})


def test_elided_and_dedented_parts_move_together() -> None:
    edit = block("total = 0.0\n...\nreturn total\n", "total = 1.0\n...\nreturn total + 1\n")
    after = TEXT.replace("total = 0.0", "total = 1.0").replace("return total", "return total + 1")
    assert outcome(fenced(NAME, edit), {NAME: TEXT}) == {NAME: after}


# ---- a last line that breaks off -------------------------------------------------------------------------------------


def test_the_rest_of_a_broken_line_is_kept_if_only_that_is_python() -> None:
    edit = block("        self.weights = [0.0 for\n", "        self.weights = [1.0 for\n")
    assert outcome(fenced(NAME, edit), {NAME: TEXT}) == {NAME: TEXT.replace("[0.0 for", "[1.0 for")}


def test_a_broken_line_that_could_be_whole_is_refused_with_the_whole_line() -> None:
    edit = block("        error = target\n", "        error = 2 * target\n")
    said = refusal(fenced(NAME, edit), {NAME: TEXT})
    assert "breaks off" in said and "error = target - self.predict(row)" in said


# ---- new files -------------------------------------------------------------------------------------------------------


def test_an_empty_search_makes_a_file_where_that_is_allowed_and_it_can_be_edited_at_once() -> None:
    reply = fenced("notes/run_1.txt", block("", "one\ntwo\n") + block("two\n", "three\n"))
    assert outcome(reply, {NAME: TEXT}, ("notes/*.txt",)) == {"notes/run_1.txt": "one\nthree\n"}
    assert "New files may match `notes/*.md`" in refusal(reply, {NAME: TEXT}, ("notes/*.md",))


def test_an_empty_file_is_filled_and_a_full_one_is_not() -> None:
    reply = fenced("notes.txt", block("", "one\n"))
    assert outcome(reply, {"notes.txt": ""}) == {"notes.txt": "one\n"}
    assert "Quote the lines to replace" in refusal(reply, {"notes.txt": "zero\n"})


def test_the_byte_order_mark_stays_where_it_is() -> None:
    assert outcome(fenced(NAME, block("a = 1\n", "a = 2\n")), {NAME: "\ufeffa = 1\n"}) == {NAME: "\ufeffa = 2\n"}


# ---- markers and fences where they do not belong ---------------------------------------------------------------------


def test_a_remark_behind_the_divider_is_not_taken_for_code() -> None:
    assert (
        outcome(fenced("notes.txt", block("a\n", "b\n").replace("=======", "======= becomes")), {"notes.txt": "a\n"})
        is None
    )


def test_a_marker_in_a_comment_is_not_silently_passed_over() -> None:
    reply = fenced(NAME, GOOD.replace(">>>>>>> REPLACE", "# >>>>>>> REPLACE"))
    assert "no `>>>>>>> REPLACE`" in refusal(reply, {NAME: TEXT})


def test_a_fence_left_inside_replace_is_refused_in_python() -> None:
    wrong = block("        self.rate = rate\n", "        self.rate = 1\n```\n")
    assert "a fence in REPLACE" in refusal(fenced(NAME, wrong), {NAME: TEXT})


def test_code_behind_the_opening_marker_is_not_taken_for_a_file_name() -> None:
    edit = block("model.step\nb = 2\n", "b = 3\n").replace("SEARCH\n", "SEARCH")
    assert outcome(fenced(NAME, edit), {NAME: "model.step\nb = 2\n"}) == {NAME: "b = 3\n"}


# ---- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "<" * 50, "text = 1\n", "`" * 30 + "\n", "a.b/" * 20,
     block("a\n", "b\n"), "<<<<<<< SEARCH\n=======\n"],
)  # fmt: skip
def test_a_huge_reply_is_read_in_linear_time(piece: str) -> None:
    reply = piece * (500_000 // len(piece))
    started = time.process_time()
    parse(reply, {NAME: TEXT})
    assert time.process_time() - started < 2.0


def test_a_long_file_of_equal_lines_is_searched_quickly() -> None:
    lines = "x = 1\n" * 5_000
    started = time.process_time()
    for search in ("x = 1\n" * 2_500, "x = 1\n" * 2_500 + "y\n", "    x = 1\n" * 2_500, "x = 1\n...\nx = 1\n"):
        assert outcome(fenced(NAME, block(search, "z\n")), {NAME: lines}) is None
    assert time.process_time() - started < 3.0


# ---- properties ------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r\ufeff"), max_size=12)
plain = words.filter(lambda line: line.strip() not in ("...", "…") and not set(line) & set("<=>`~#"))
some_lines = st.lists(plain, min_size=1, max_size=12)


@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[list[str], list[str], list[str], list[str]]:
    """(before, quoted, after, new): any lines, with any of them quoted."""
    lines = draw(some_lines)
    start = draw(st.integers(0, len(lines) - 1))
    stop = draw(st.integers(start + 1, len(lines)))
    return lines[:start], lines[start:stop], lines[stop:], draw(st.lists(plain, max_size=6))


def joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def stands(lines: list[str], part: list[str]) -> int:
    return sum(lines[i : i + len(part)] == part for i in range(len(lines) - len(part) + 1))


@settings(max_examples=150, deadline=None)
@given(edited_texts(), st.sampled_from(["\n", "\r\n"]))
def test_a_clean_block_with_a_unique_search_yields_exactly_the_replacement(
    parts: tuple[list[str], list[str], list[str], list[str]], ending: str
) -> None:
    before, quoted, after, new = parts
    whole = before + quoted + after
    name = "notes.txt"
    repeated = any(stands(whole, new) for _ in (0,) if len(new) > len(quoted))
    if stands(whole, quoted) != 1 or not any(line.strip() for line in quoted) or new == quoted or repeated:
        return
    files = {name: joined(whole).replace("\n", ending), "other.txt": "something else\n"}
    got = outcome(answer(name, Wanted(joined(quoted), joined(new))), files)
    want = joined(before + new + after).replace("\n", ending)
    assert got == ({name: want} if want != files[name] else {})


marker_soup = st.lists(
    st.sampled_from(
        ["<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "a = 1\n", "    b = 2\n", "a = 1", "experiment.py\n",
         "```python\n", "```\n", "...\n", "\n", "<<<<<< SEARCH", ">>>>>>>>> REPLACE\n", "\t", "plot.py: ", "=======x\n",
         "../up.py\n", "    ", "\r\n", "Title\n", "~~~\n"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(marker_soup | st.text(max_size=200))
@example("<<<<<<< SEARCH")
@example(">>>>>>> REPLACE")
def test_no_reply_makes_it_raise_and_nothing_but_editable_files_changes(reply: str) -> None:
    files = {NAME: "a = 1\n    b = 2\nTitle\n=======\nc = 3\n", "plot.py": "a = 1\n"}
    kept = dict(files)
    blocks = parse(reply, files)
    result = apply(blocks, files)
    assert files == kept
    if isinstance(result, Applied):
        assert set(result.files) <= set(files)
        assert not any(made.problem for made in blocks)
    else:
        assert result.problems and all(problem.message for problem in result.problems)
        assert isinstance(apply(result.good, files), Applied)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "  a", "    a", "\ta", "a  ", "b", "", "...", "    b", "if b:"]), min_size=1, max_size=9
    ),
    st.lists(st.sampled_from(["a", "  a", "\ta", "a ", "b", "", "...", "    b", "if b:"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(["NEW", "    NEW", "a", "", "..."]), max_size=3),
    st.sampled_from(["\n", "\r\n"]),
)
def test_lines_outside_the_place_keep_their_bytes(
    lines: list[str], search: list[str], new: list[str], end: str
) -> None:
    """Whatever is tolerated: what is before and after the place is as it was, and the place has the quoted words."""
    before = end.join(lines)
    result = outcome(fenced("notes.txt", block(joined(search), joined(new))), {"notes.txt": before})
    if not result or "..." in search:
        return
    old, got = before.split("\n"), result["notes.txt"].split("\n")
    head = next(
        (i for i, pair in enumerate(zip(old, got, strict=False)) if pair[0] != pair[1]), min(len(old), len(got))
    )
    tail = 0
    while tail < min(len(old), len(got)) - head and old[-1 - tail] == got[-1 - tail]:
        tail += 1
    quoted = [line.strip() for line in search]
    assert all(line.strip() in quoted for line in old[head : len(old) - tail])


@settings(max_examples=60, deadline=None)
@given(st.permutations([GOOD, BAD, block("    return losses\n", "    return 1\n")]), st.integers(0, 3))
def test_any_list_with_one_bad_block_changes_nothing(blocks: list[str], cut: int) -> None:
    reply = fenced(NAME, "".join([*blocks[:cut], BAD, *blocks[cut:]]))
    assert outcome(reply, {NAME: TEXT}) is None
