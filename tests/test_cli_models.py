"""What the command line says of models before anything is made: `doctor`, `run --plan`, and refusals."""

import json
import os
import pty
import subprocess
import sys

import pytest

from agent.cli import main
from tests.fake_llm import FakeLLM, Say, Status, unauthorized
from tests.stories.world import TOY

IDEA = str(TOY / "ideas" / "iterate_averaging.json")
TEMPLATE = str(TOY / "template")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


def doctor(capsys, *words):
    code = main(["doctor", "--json", *words])
    told = json.loads(capsys.readouterr().out)
    return code, {check["what"]: check for check in told["checks"]}


def plan(capsys, *words):
    code = main(["run", IDEA, "-t", TEMPLATE, "--plan", *words])
    return code, capsys.readouterr().out


def test_doctor_says_everything_about_a_model_that_works_and_pays_nothing(capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    with FakeLLM([]) as server:
        code, checks = doctor(capsys, "-m", "openai/test", "-c", f"base_url={server.openai_url}", "-c", "price=3/15",
                              "-c", "context_tokens=100000", "-t", TEMPLATE)  # fmt: skip
        assert server.requests == []
    assert code == 0
    assert {checks[w]["state"] for w in ("Model", "Key", "Base URL", "Price", "Context")} == {"ok"}
    assert "$3 in, $15 out" in checks["Price"]["found"]
    assert "this template's prompts need about" in checks["Context"]["found"]
    assert "Test call" not in checks


def test_doctor_live_makes_one_small_call_and_tells_its_cost(capsys):
    with FakeLLM([Say("ready")]) as server:
        code, checks = doctor(
            capsys, "-m", "openai/test", "-c", f"base_url={server.openai_url}", "-c", "price=3/15", "--live"
        )
        assert len(server.requests) == 1
    assert (code, checks["Test call"]["state"]) == (0, "ok")
    assert "$0.000" in checks["Test call"]["found"] and "ready" in checks["Test call"]["found"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (unauthorized("sk-0123456789abcdefghij"), "does not accept the key"),
        (Status(500, "broken"), "server failed"),
        (Say(""), "empty"),
    ],
)
def test_doctor_live_tells_what_is_wrong(capsys, monkeypatch, answer, said):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    with FakeLLM([answer]) as server:
        code, checks = doctor(
            capsys, "-m", "openai/test", "-c", f"base_url={server.openai_url}", "-c", "price=0", "--live"
        )
    assert (code, checks["Test call"]["state"]) == (2, "missing")
    assert said in checks["Test call"]["found"]
    assert "sk-0123456789" not in json.dumps(checks)


@pytest.mark.parametrize(
    ("words", "what", "said"),
    [
        (["-m", "gpt-4o"], "Key", "OPENAI_API_KEY not set"),
        (["-m", "foo/bar"], "Model", "no provider is known"),
        (["-m", "openai/x", "-c", "base_url=http://127.0.0.1:9/v1"], "Base URL", "does not answer"),
        (["-m", "openai/x", "-c", "base_url=http://127.0.0.1:9/v1"], "Price", "not known"),
        (["-m", "openai/x", "-c", "price=0", "-c", "context_tokens=2000", "-t", TEMPLATE], "Context", "2,000 tokens"),
        (["-m", "cmd:no_such_program_x"], "Model", "there is no program"),
        (["-m", "replay:/nowhere.jsonl"], "Model", "cannot read the recording"),
    ],
)
def test_doctor_names_each_thing_that_is_missing_with_what_to_do(capsys, words, what, said):
    code, checks = doctor(capsys, *words)
    assert (code, checks[what]["state"]) == (2, "missing")
    assert said in checks[what]["found"]
    assert checks[what]["fix"]


def test_without_a_model_doctor_lists_the_choices(capsys):
    _, checks = doctor(capsys)
    assert checks["Model"]["state"] == "optional"
    assert "manual:DIR" in checks["Model"]["fix"]


def test_a_plan_tells_runs_time_and_dollars_and_makes_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    code, told = plan(capsys, "-m", "gpt-4o", "--max-runs", "7", "--max-cost", "3", "--max-time", "2h")
    assert code == 0
    assert "2 baselines, then up to 7 runs" in told
    assert "at most $3.00 (--max-cost)" in told and "$2.5 in, $10 out per million tokens" in told
    assert "at most 12 m 40 s (20 s a job)" in told  # (2 baselines + 7 runs × 4 attempts + fresh seeds of all) × 20 s
    assert "Nothing was started" in told
    assert list(tmp_path.iterdir()) == []


def test_a_plan_can_be_read_by_a_program(capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    code, told = plan(capsys, "-m", "gpt-4o", "--json", "--max-time", "1m")
    forecast = json.loads(told)
    assert (code, forecast["runs"], forecast["longest_seconds"], forecast["gpus"]) == (0, 10, 60.0, 0)
    assert 0 < forecast["dollars"] <= forecast["most_dollars"] == 10.0


def test_a_plan_of_a_model_without_a_price_does_not_invent_one(capsys, tmp_path):
    code, told = plan(capsys, "-m", "cmd:cat")
    assert code == 0
    assert "Dollars:    not known" in told
    assert "costs nothing" in plan(capsys, "-m", f"manual:{tmp_path / 'prompts'}")[1]


@pytest.mark.parametrize(("answer", "started"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_in_a_terminal_a_plan_asks_before_it_starts(tmp_path, answer, started):
    words = [
        sys.executable,
        "-m",
        "agent",
        "run",
        IDEA,
        "-t",
        TEMPLATE,
        "--plan",
        "--max-runs",
        "0",
        "-c",
        "executor=inline",
    ]
    recording = TOY / "ideas" / "iterate_averaging.replay.jsonl"
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*words, "-m", f"replay:{recording}"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
                               env={**os.environ, "PYTHONPATH": str(TOY.parents[1])})  # fmt: skip
    os.close(theirs)
    told = b""
    while b"Start? [y/N]" not in told:
        told += os.read(ours, 4096)
    os.write(ours, answer.encode())
    while process.poll() is None:
        try:
            told += os.read(ours, 4096)
        except OSError:
            break
    process.wait(30)
    os.close(ours)
    assert (tmp_path / "results").exists() == started
    assert (b"Nothing was started" in told) != started


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "gpt-4o"], "OPENAI_API_KEY is not set"),
        (["-m", "openai/x", "-c", "base_url=http://127.0.0.1:9/v1"], "price of openai/x is not known"),
        (["-m", "cmd:"], "says nothing after its colon"),
        (["-m", "cmd:cat --key sk-0123456789abcdefghijkl"], "holds a key"),
        (["-m", "openai/x", "-c", "base_url=http://user:secret@127.0.0.1/v1"], "holds a key"),
        (["-m", "gpt-4o", "-c", "price=much"], "such as 3/15"),
        (["-m", "gpt-4o", "-c", "reply_tokens=1"], "reply_tokens"),
        (["-m", "gpt-4o", "-c", "reply_timeout=soon"], "reply_timeout"),
    ],
)
def test_a_model_that_cannot_work_is_refused_before_a_study_is_made(capsys, tmp_path, words, said):
    assert main(["run", IDEA, "-t", TEMPLATE, *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_a_settings_file_is_refused_too(capsys, tmp_path):
    (tmp_path / "ai-scientist.toml").write_text('model = "cmd:cat sk-0123456789abcdefghijkl"\n')
    assert main(["run", IDEA, "-t", TEMPLATE]) == 2
    assert "holds a key" in capsys.readouterr().err
