import os
import threading
import time
from pathlib import Path

import pytest

from agent.core.errors import InputProblem, Interrupted
from agent.core.prompt import Prompt
from agent.llm.manual import ManualModel


def prompt(call="0001-edit", request="what now?"):
    return Prompt(call, "edit", "run_1", 1, "stable", (("a.py", "x = 1\r\ny = 2\n"),), request)


class Person:
    """Answers as time goes by: at the n-th look, do the n-th thing."""

    def __init__(self, *acts):
        self.acts, self.looks = list(acts), 0

    def __call__(self):
        self.looks += 1
        if self.acts:
            self.acts.pop(0)()
        if self.looks > 500:
            raise Interrupted("nobody answered")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "prompts"


def model(folder, still=0.05):
    return ManualModel(folder, still=still, poll=0.01)


def test_the_prompt_is_written_and_the_reply_beside_it_is_taken(folder):
    person = Person(lambda: None, lambda: (folder / "0001-edit.reply.md").write_text("do this"))
    reply = model(folder).complete(prompt(), person)
    assert (reply.text, reply.model) == ("do this", f"manual:{folder}")
    assert (folder / "0001-edit.prompt.md").read_bytes().decode() == prompt().text()
    assert sorted(os.listdir(folder)) == ["0001-edit.prompt.md", "0001-edit.reply.md"]


def test_a_reply_that_is_still_being_written_is_waited_for(folder):
    answer = folder / "0001-edit.reply.md"

    def slowly():
        with answer.open("w") as out:
            for word in ["one", "two", "three", "four"]:
                out.write(word + " ")
                out.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=slowly)
    reply = model(folder, still=0.3).complete(prompt(), Person(writer.start))
    writer.join()
    assert reply.text == "one two three four "


def test_a_copied_reply_with_an_old_time_is_waited_for_too(folder):
    answer = folder / "0001-edit.reply.md"

    def write(text):
        answer.write_text(text)
        os.utime(answer, (1, 1))

    person = Person(lambda: write("half"), lambda: None, lambda: write("half and half"))
    assert model(folder, still=0.2).complete(prompt(), person).text == "half and half"


def test_a_reply_from_a_clock_that_is_ahead_is_taken(folder):
    def write():
        (folder / "0001-edit.reply.md").write_text("from tomorrow")
        os.utime(folder / "0001-edit.reply.md", (time.time() + 86400,) * 2)

    assert model(folder).complete(prompt(), Person(write)).text == "from tomorrow"


@pytest.mark.parametrize("empty", ["", " \n\t\n", "\ufeff"])
def test_an_empty_reply_is_no_reply(folder, empty):
    answer = folder / "0001-edit.reply.md"
    person = Person(lambda: answer.write_text(empty), *[lambda: None] * 30, lambda: answer.write_text("now"))
    assert model(folder).complete(prompt(), person).text == "now"
    assert person.looks > 30


def test_a_reply_that_is_not_utf8_or_no_file_is_said(folder):
    folder.mkdir()
    person = Person(lambda: (folder / "0001-edit.reply.md").write_bytes(b"caf\xe9"))
    with pytest.raises(InputProblem, match="is not UTF-8 text"):
        model(folder).complete(prompt(), person)
    person = Person((folder / "0002-edit.reply.md").mkdir)
    with pytest.raises(InputProblem, match="cannot read"):
        model(folder).complete(prompt("0002-edit"), person)


def test_a_byte_order_mark_is_not_part_of_the_reply(folder):
    person = Person(lambda: (folder / "0001-edit.reply.md").write_bytes(b"\xef\xbb\xbfTry it."))
    assert model(folder).complete(prompt(), person).text == "Try it."


@pytest.mark.parametrize("old", ["another prompt", b"\xff"])
def test_a_reply_to_another_prompt_is_refused(folder, old):
    folder.mkdir()
    (folder / "0001-edit.prompt.md").write_bytes(old if isinstance(old, bytes) else old.encode())
    (folder / "0001-edit.reply.md").write_text("stale")
    with pytest.raises(InputProblem, match="answers another prompt"):
        model(folder).complete(prompt(), Person())
    assert (folder / "0001-edit.reply.md").read_text() == "stale"


def test_an_unanswered_prompt_of_another_study_is_replaced(folder):
    folder.mkdir()
    (folder / "0001-edit.prompt.md").write_text("another prompt")
    assert model(folder).complete(prompt(), Person(lambda: (folder / "0001-edit.reply.md").write_text("x"))).text == "x"
    assert (folder / "0001-edit.prompt.md").read_bytes().decode() == prompt().text()


def test_asking_the_same_again_after_a_crash_takes_the_reply_that_is_there(folder):
    with pytest.raises(Interrupted):
        model(folder).complete(prompt(), _interrupt)
    (folder / "0001-edit.reply.md").write_text("while you were away")
    assert model(folder).complete(prompt(), Person()).text == "while you were away"


def _interrupt():
    raise Interrupted("interrupted")


def test_choosing_the_model_makes_nothing(folder):
    model(folder / "deep" / "er")
    assert not folder.exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputProblem, match="cannot make the folder"):
        ManualModel(tmp_path / place)


def test_a_folder_that_the_system_refuses_is_said_when_it_is_needed():
    with pytest.raises(InputProblem, match="cannot make the folder"):
        ManualModel(Path("/proc/none/x")).complete(prompt(), Person())
