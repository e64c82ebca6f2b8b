"""`cmd:PROGRAM` with real programs."""

import os
import sys
import time

import psutil
import pytest

from agent.core.calls import KINDS
from agent.core.config import Settings
from agent.core.errors import InputProblem, Interrupted
from agent.core.prompt import NoReply, Prompt, Reply
from agent.llm.choose import choose
from agent.llm.program import ProgramModel

PROMPT = Prompt("0001-edit", "edit", "run_1", 1, "Be brief.", (("experiment.py", "x = 1\n"),), "Change it. Äöü")


def program(tmp_path, code, **settings):
    path = tmp_path / "program with blanks.py"
    path.write_text(code)
    return choose(Settings(model=f"cmd:{sys.executable} '{path}'", **settings))


def ask(model, pulse=lambda: None):
    return model.complete(PROMPT, pulse)


def test_the_prompt_comes_on_standard_input_and_the_reply_is_what_is_printed(tmp_path):
    model = program(tmp_path, "import sys; sys.stdout.write(sys.stdin.read().upper())")
    reply = ask(model)
    assert reply.text == PROMPT.text().upper()
    assert (reply.usage, reply.finish) == ({}, "stop")


def test_what_a_program_costs_is_not_known_and_not_taken_for_nothing(tmp_path):
    model = program(tmp_path, "print('ok')")
    assert model.worst(PROMPT).cost is None
    assert ask(model).cost is None


def test_a_program_that_fails_is_quoted_by_its_last_line_without_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "verysecretvalue")
    model = program(
        tmp_path, "import os, sys; print('half a reply'); sys.exit('no way with ' + os.environ['MY_API_KEY'])"
    )
    answer = ask(model)
    assert isinstance(answer, NoReply)
    assert answer.kind in KINDS
    assert answer.evidence == "it ended with exit code 1: no way with [key]"


def test_a_program_killed_by_a_signal_has_failed(tmp_path):
    answer = ask(program(tmp_path, "import os; os.kill(os.getpid(), 9)"))
    assert "exit code -9" in answer.evidence


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    began = time.monotonic()
    answer = ask(program(tmp_path, code, reply_timeout=0.1))
    assert "had not ended" in answer.evidence
    assert time.monotonic() - began < 10
    _gone(int((tmp_path / "pid").read_text()))


def test_a_person_who_stops_ends_the_program(tmp_path):
    def pulse():
        if (tmp_path / "up").exists():
            raise Interrupted("enough")

    code = f"import time; open({str(tmp_path / 'up')!r}, 'w').write('x'); time.sleep(60)"
    with pytest.raises(Interrupted):
        ask(program(tmp_path, code), pulse)


def test_a_program_that_prints_without_end_is_stopped(tmp_path):
    answer = ask(program(tmp_path, "while True: print('x' * 10_000)"))
    assert "printed more than" in answer.evidence


def test_bytes_that_are_no_text_do_not_stop_a_study(tmp_path):
    reply = ask(program(tmp_path, "import sys; sys.stdout.buffer.write(b'a\\xffb')"))
    assert isinstance(reply, Reply)
    assert reply.text == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("command", ["no_such_program_anywhere", "'unclosed", "/nowhere/x", " "])
def test_a_command_that_cannot_be_run_is_refused_before_anything_is_made(command):
    with pytest.raises(InputProblem):
        ProgramModel(command, Settings())


def test_a_program_that_closes_its_input_early_is_not_a_failure(tmp_path):
    assert ask(program(tmp_path, "import os; os.close(0); print('fine')")).text == "fine\n"


def _gone(pid, patience=5.0):
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    raise AssertionError("the child is alive")
