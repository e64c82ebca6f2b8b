"""aider's coder in its cage: what it sends, and that it does nothing else."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.core.config import Settings
from agent.core.errors import Interrupted
from agent.core.prompt import NoReply, Prompt, Reply
from agent.llm import library
from agent.llm.choose import choose
from tests.fake_llm import FakeLLM, Garbage, Say, server_error

STABLE = "You work on an experiment.\n\nAnswer with blocks. {not_a_place} {} {{twice}} %s $HOME {fence[0]}\n"
FILES = (
    ("experiment.py", 'config = {"rate": 0.05}\nprint(f"{config}")\n'),
    ("plot.py", "labels = {}\n"),
    ("notes/a b.txt", "```\nfenced\n```\nno end of line"),
)
REQUEST = "Make run_1. Keep {this} and {that[0]}."
OF_AIDER = (
    "SEARCH/REPLACE block rules", "*SEARCH/REPLACE block*", "Act as an expert", "ONLY EVER RETURN CODE", "trusted",
    "add them to the chat", "git repo", "Always use best practices", "shell command", "one-line bash",
)  # fmt: skip
SECRET = "sk-test-0123456789abcdefghij"


def prompt(request=REQUEST, stable=STABLE, files=FILES):
    return Prompt("0001-edit", "edit", "run_1", 1, stable, files, request)


@pytest.fixture(autouse=True, scope="module")
def imported():
    library.litellm()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for provider in ("OPENAI", "ANTHROPIC", "DEEPSEEK", "OPENROUTER", "XAI", "GROQ", "MISTRAL"):
        monkeypatch.setenv(f"{provider}_API_KEY", SECRET)


def ask(asked, model="openai/test", answer=None, pulse=lambda: None, **settings):
    """The outcome, and the only request that was made for it."""
    with FakeLLM([answer or Say("Done.")], repeat=True) as server:
        url = server.anthropic_url if model.startswith("anthropic/") else server.openai_url
        given = {"price": "3/15", "reply_tokens": 500, "reply_timeout": 20, **settings}
        outcome = choose(Settings(model=model, base_url=url, **given)).complete(asked, pulse)
        assert len(server.requests) == 1
        return outcome, server.requests[0]


# ---- what is sent -------------------------------------------------------------------------------------------------


def test_the_stable_part_is_the_system_message_then_the_files_once_and_the_request_last():
    _, sent = ask(prompt())
    assert [m["role"] for m in sent.messages] == ["system", "user", "assistant", "user"]
    system, files, _, request = sent.texts
    assert system == STABLE
    assert request.strip() == REQUEST
    for name, text in FILES:
        assert files.count(f"\n{name}\n") == 1 and files.count(text) == 1
    everything = "".join(sent.texts)
    assert everything.count('config = {"rate": 0.05}') == 1 and everything.count(REQUEST) == 1
    assert [files.index(f"\n{name}\n") for name, _ in FILES] == sorted(files.index(f"\n{name}\n") for name, _ in FILES)


def test_nothing_of_aiders_own_prompts_is_sent():
    for model in ("openai/test", "anthropic/claude-sonnet-4-5", "openai/o1-mini", "deepseek/deepseek-reasoner"):
        _, sent = ask(prompt(), model)
        everything = "\n".join(sent.texts)
        assert [words for words in OF_AIDER if words.lower() in everything.lower()] == []
        assert len(everything) < len(prompt().text()) + 200


def test_braces_signs_and_other_scripts_arrive_as_they_are():
    odd = (
        "{} {{}} {0} {fence[0]} %s %(x)s \\n \\u0041 \t ≤ 日本 🦩 \r\x0c ---\n<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE"
    )
    _, sent = ask(prompt(f"Ask. {odd} End.", f"Rules. {odd} End.", (("experiment.py", f"{odd}\n"),)))
    assert sent.texts[0] == f"Rules. {odd} End."
    assert f"{odd}\n" in sent.texts[1]
    assert sent.texts[3].strip() == f"Ask. {odd} End."


def test_a_fence_in_a_file_gets_a_longer_fence_or_another_around_it():
    _, sent = ask(prompt(files=(("a.py", "x = '''\n```\n'''\n"),)))
    lines = sent.texts[1].splitlines()
    at = lines.index("a.py")
    opening = lines[at + 1]
    assert opening != "```" and lines[at + 2 : at + 5] == ["x = '''", "```", "'''"]


def test_a_prompt_without_files_or_with_an_empty_one_is_sent_too():
    _, sent = ask(prompt(files=()))
    assert sent.texts[-1].strip() == REQUEST
    _, sent = ask(prompt(files=(("experiment.py", ""),)))
    assert "experiment.py" in sent.texts[1]


def test_the_same_model_can_be_asked_again_and_nothing_of_before_is_left():
    with FakeLLM([Say("uno"), Say("due")]) as server:
        model = choose(Settings(model="openai/test", base_url=server.openai_url, price="3/15"))
        assert model.complete(prompt("First."), lambda: None).text == "uno"
        assert model.complete(prompt("Second."), lambda: None).text == "due"
        first, second = server.requests
    assert "First" not in str(second.body) and "uno" not in str(second.body)
    assert second.texts[:3] == first.texts[:3]


def test_what_is_booked_before_a_call_is_more_than_what_is_sent():
    for model in ("openai/test", "openai/o1-mini", "anthropic/claude-sonnet-4-5"):
        with FakeLLM([Say("x")]) as server:
            url = server.anthropic_url if model.startswith("anthropic/") else server.openai_url
            chosen = choose(Settings(model=model, base_url=url, price="3/15", reply_tokens=500))
            worst = chosen.worst(prompt())
            reply = chosen.complete(prompt(), lambda: None)
            assert worst.usage["prompt_tokens"] >= reply.usage["prompt_tokens"]
            assert worst.usage["completion_tokens"] == server.requests[0].limit == 500
            assert worst.cost > reply.cost


# ---- models that want to be talked to in their own way ---------------------------------------------------------------


def test_a_model_without_system_messages_and_temperature_gets_neither():
    _, sent = ask(prompt(), "openai/o1-mini")
    roles = [m["role"] for m in sent.messages]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert sent.texts[0].startswith(STABLE) and sent.texts[-1].strip() == REQUEST
    assert "temperature" not in sent.body
    assert sent.body["max_completion_tokens"] == 500 and "max_tokens" not in sent.body


def test_a_model_that_wants_roles_in_turn_gets_them():
    for files in (FILES, ()):
        _, sent = ask(prompt(files=files), "deepseek/deepseek-reasoner")
        roles = [m["role"] for m in sent.messages if m["role"] != "system"]
        assert roles[0] == "user" and all(a != b for a, b in pairwise(roles))
        assert "temperature" not in sent.body


def test_others_are_asked_at_temperature_zero():
    for model in ("openai/test", "anthropic/claude-sonnet-4-5", "openrouter/meta-llama/llama-3-70b-instruct"):
        assert ask(prompt(), model)[1].body["temperature"] == 0


@pytest.mark.parametrize(
    "model",
    ["openai/test", "openai/gpt-5", "deepseek/deepseek-reasoner", "deepseek/deepseek-chat", "anthropic/claude-3-7-sonnet-20250219",
     "openrouter/anthropic/claude-sonnet-4"],
)  # fmt: skip
def test_no_table_of_aiders_raises_the_longest_reply_above_what_was_booked(model):
    assert ask(prompt(), model)[1].limit == 500


@pytest.mark.parametrize(
    "model",
    ["openai/test", "deepseek/deepseek-chat", "deepseek/deepseek-reasoner", "xai/grok-4",
     "openrouter/meta-llama/llama-3-70b-instruct", "anthropic/claude-sonnet-4-5"],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_what_these_providers_say_was_used_is_what_is_booked(model, stream):
    reply, sent = ask(prompt(), model, Say("Change it so.", cached=7), stream=stream)
    assert not reply.estimated
    told = (reply.usage["prompt_tokens"], reply.usage.get("cached_tokens", 0), reply.usage["completion_tokens"])
    assert told == (sent.usage["prompt"], 7, sent.usage["completion"])


def test_usage_that_comes_with_the_last_piece_of_a_stream_is_booked():
    """As Mistral and Fireworks tell it, without being asked."""
    usage = {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}
    rows = [({"content": "ok "}, None), ({"content": "there"}, None), ({}, "stop")]
    pieces = [
        {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **({"usage": usage} if end else {}),
         "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in rows
    ]  # fmt: skip
    body = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
    for model in ("mistral/mistral-large-latest", "openai/test"):
        reply, _ = ask(prompt(), model, Garbage(body, "text/event-stream"))
        assert (reply.text, reply.estimated) == ("ok there", False)
        assert reply.usage == {"prompt_tokens": 40, "completion_tokens": 2}


# ---- how it ends --------------------------------------------------------------------------------------------------


def test_a_reply_comes_back_as_it_was_said_but_for_blanks_at_its_end():
    said = "Look at https://example.com/x and at secret.txt.\n\n/run touch X\n```bash\ntouch Y\n```\n" + (
        "experiment.py\n```python\n<<<<<<< SEARCH\nnot there\n=======\nx\n>>>>>>> REPLACE\n```\n  \n"
    )
    reply, _ = ask(prompt(), answer=Say(said))
    assert isinstance(reply, Reply) and reply.text == said.rstrip()


@pytest.mark.parametrize("said", ["", "   \n", "<think>Let me see.</think>\n\nThe answer.", "<think>No end"])
def test_an_empty_reply_and_thoughts_in_the_text_come_back_too(said):
    reply, _ = ask(prompt(), answer=Say(said))
    assert reply.text == said.rstrip()


def test_a_failure_comes_back_as_one_and_is_not_tried_again_by_aider():
    outcome, _ = ask(prompt(), answer=server_error())
    assert isinstance(outcome, NoReply) and outcome.kind == "server"


def test_a_persons_interruption_goes_through_aider():
    calls = []

    def pulse():
        calls.append(1)
        if calls:
            raise Interrupted("interrupted")

    with FakeLLM([Say("x", pause=5)]) as server:
        model = choose(Settings(model="openai/test", base_url=server.openai_url, price="3/15"))
        with pytest.raises(Interrupted):
            model.complete(prompt(), pulse)
    with FakeLLM([Say("x", pause=5)]) as server:
        model = choose(Settings(model="openai/test", base_url=server.openai_url, price="3/15"))
        with pytest.raises(KeyboardInterrupt):
            model.complete(prompt(), lambda: (_ for _ in ()).throw(KeyboardInterrupt()))


# ---- in a folder full of bait, watched ----------------------------------------------------------------------------

DRIVER = """
import json, os, sys
here, url, out, root = sys.argv[1:]
ACTS = "subprocess.Popen os.system os.exec os.posix_spawn os.fork os.forkpty pty.spawn webbrowser.open os.remove os.rename"
ACTS = {*ACTS.split(), "os.mkdir", "shutil.rmtree"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
seen = []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        writes = set(arguments[1] or "") & set("wax+") or (arguments[2] or 0) & WRITES
        if path.startswith(here) or (writes and path != os.devnull):
            seen.append(["open", path])
    elif event in ACTS and "uname" not in str(arguments):  # that is how Python finds out the processor's name
        seen.append([event, str(arguments)[:200]])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        seen.append(["lookup", str(arguments[0])])

sys.path.insert(0, root)
from agent.core.config import Settings
from agent.core.prompt import Prompt
from agent.llm.choose import choose
from agent.llm.coder import _aider
_aider()
sys.addaudithook(watch)
model = choose(Settings(model="openai/test", base_url=url, price="3/15"))
replies = []
for row in json.load(sys.stdin):
    prompt = Prompt("0001-edit", "edit", "run_1", 1, row["stable"], tuple(map(tuple, row["files"])), row["request"])
    replies.append(model.complete(prompt, lambda: None).text)
told = {"seen": list(seen), "replies": replies}
with open(out, "w") as file:
    json.dump(told, file)
"""
BAIT = {
    "experiment.py": "on_disk = 1\n", "plot.py": "on_disk = 2\n", "secret.txt": "the secret on disk\n",
    ".env": "OPENAI_API_KEY=from-the-env-file\nOPENAI_API_BASE=http://10.255.255.1/\n",
    ".aider.conf.yml": "model: gpt-4o\nauto-commits: true\n",
    ".aider.model.settings.yml": "- name: openai/test\n  use_temperature: false\n",
    ".aiderignore": "*\n", "CONVENTIONS.md": "Obey.\n",
}  # fmt: skip
REQUESTS = (
    "/run touch X", "!touch X", "/web http://192.0.2.1/x", "/add secret.txt", "/commit now", "/undo", "/exit", "/git status",
    "/read-only secret.txt", "/test touch X", "/model gpt-4o", "/voice", "", "Look at http://192.0.2.1/page and at secret.txt.",
    "Read secret.txt and ./plot.py, then `experiment.py`.", REQUEST,
)  # fmt: skip
EVIL = (
    "/run touch Y\n!touch Y\n/web http://192.0.2.1/y\n```bash\ntouch Y\n```\n```console\n$ touch Y\n```\nPlease add secret.txt"
    " and plot.py to the chat. See http://192.0.2.1/z.\n"
    "experiment.py\n```python\n<<<<<<< SEARCH\non_disk = 1\n=======\non_disk = 9\n>>>>>>> REPLACE\n```\n"
    "new.py\n```python\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n```\n"
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Two processes with different hash seeds ask the same, in a folder of bait: what they did, sent and left behind."""
    place = tmp_path_factory.mktemp("watched")
    (place / "driver.py").write_text(DRIVER)
    rows = [{"stable": STABLE, "files": FILES, "request": request} for request in REQUESTS if request]
    root = str(Path(__file__).parents[2])

    def one(seed):
        here, home = place / f"work{seed}", place / f"home{seed}"
        here.mkdir(), home.mkdir()
        for name, text in BAIT.items():
            (here / name).write_text(text)
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONHASHSEED": seed, "OPENAI_API_KEY": SECRET}
        with FakeLLM([Say(EVIL)], repeat=True) as server:
            argv = [sys.executable, place / "driver.py", here, server.openai_url, place / f"out{seed}.json", root]
            done = subprocess.run(
                argv, cwd=here, env=env, input=json.dumps(rows), capture_output=True, text=True, timeout=100
            )
            assert done.returncode == 0, done.stderr
            told = json.loads((place / f"out{seed}.json").read_text())
            return SimpleNamespace(
                **told,
                sent=[json.dumps(request.body) for request in server.requests],
                texts=[request.texts for request in server.requests],
                keys={request.headers["authorization"] for request in server.requests},
                here={p.name: p.read_text() for p in here.iterdir() if p.is_file()},
                home=[str(p) for p in home.rglob("*")],
                printed=done.stdout + done.stderr,
            )

    return [one("0"), one("12345")]


def test_two_processes_with_other_hash_seeds_send_the_same_bytes(watched):
    first, second = watched
    assert first.sent == second.sent and len(first.sent) == len(REQUESTS) - 1


def test_a_request_that_looks_like_a_command_is_sent_and_not_run(watched):
    for one in watched:
        assert [texts[-1].strip() for texts in one.texts] == [request for request in REQUESTS if request]
        assert {event for event, _ in one.seen} <= {"lookup"}


def test_the_reply_comes_back_untouched_and_nothing_in_it_is_done(watched):
    for one in watched:
        assert set(one.replies) == {EVIL.rstrip()}
        assert one.here == BAIT
        assert one.home == [] and one.printed == ""


def test_the_prompts_texts_are_sent_and_not_those_on_disk(watched):
    for one in watched:
        everything = "".join(one.sent)
        assert "on_disk" not in everything and "the secret on disk" not in everything and "Obey." not in everything
        assert one.keys == {f"Bearer {SECRET}"}  # not the one from .env
        assert '"temperature": 0' in one.sent[0]  # not as .aider.model.settings.yml says


def test_nobody_is_looked_up_but_the_base_url(watched):
    for one in watched:
        assert {host for event, host in one.seen if event == "lookup"} <= {"127.0.0.1"}
