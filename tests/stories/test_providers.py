"""Whole studies with providers that fail in every way: how they stop, what they cost, and that they go on."""

import json
import os
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from agent.cli import main
from agent.core import ledger
from agent.core.calls import KINDS
from agent.llm import library
from tests.fake_llm import (
    Cut,
    FakeLLM,
    Garbage,
    Hang,
    Huge,
    Say,
    Status,
    no_credit,
    overloaded,
    rate_limited,
    server_error,
)
from tests.stories import providers, world
from tests.stories.providers import BROKEN, IN, KEY, OUT, WORDS, Troubled, coder, failures_of, go, start, tries_of

DONE = "the limit of 1 run is reached"


@pytest.fixture(autouse=True, scope="module")
def imported():
    library.litellm()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Studies of one folder measure their baseline once."""
    return tmp_path_factory.mktemp("results")


def assert_stopped(stop, root, kind, requests):
    """With the row's sentence, its exit code, after as many tries as it says."""
    row = KINDS[kind]
    assert requests == row.tries and failures_of(root) == [kind] * row.tries
    assert stop.exit_code == row.exit_code and stop.hint == row.hint
    times = f" ({row.tries} times)" if row.tries > 1 else ""
    assert stop.why.startswith(f"{row.said}{times}: ") and KEY not in stop.why
    assert world.state_of(root).ended == ""


def assert_goes_on(root, settings, server, before):
    """To its end: one call for the edit, one for the notes, and not one more."""
    stop = go(root, settings)
    assert (stop.exit_code, stop.why) == (0, DONE)
    assert len(server.requests) == before + 2
    state = world.state_of(root)
    assert [run.name for run in state.good] == ["run_1"] and state.noted == {"run_1"}


@pytest.mark.parametrize("kind", BROKEN)
def test_each_failure_stops_with_its_sentence_after_its_tries_and_once_mended_the_study_goes_on(
    tmp_path, results, kind
):
    script = Troubled(broken=BROKEN[kind])
    with FakeLLM(script) as server:
        patience = {"reply_timeout": 0.3} if kind == "timeout" else {}
        root, settings = start(tmp_path, server, results=results, **patience)
        stop = go(root, settings)
        assert_stopped(stop, root, kind, len(server.requests))
        script.broken = None
        assert_goes_on(root, settings, server, KINDS[kind].tries)


def test_a_provider_that_is_not_there_is_tried_for_a_while_and_found_when_it_is_back(tmp_path, results):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        class Nowhere:
            openai_url = f"http://127.0.0.1:{port}/v1"

        root, settings = start(tmp_path, Nowhere, results=results)
        stop = go(root, settings)
    assert_stopped(stop, root, "connection", KINDS["connection"].tries)
    assert all(t.usage == {} and not t.estimated for t in tries_of(root))
    with FakeLLM(coder, port=port) as server:
        assert_goes_on(root, settings, server, 0)


@pytest.mark.parametrize("kind", ["server", "cut"])
def test_a_storm_that_ends_within_the_patience_costs_nothing_but_time(tmp_path, results, kind):
    storm = [BROKEN[kind]] * (KINDS[kind].tries - 1)
    with FakeLLM(Troubled(*storm)) as server:
        root, settings = start(tmp_path, server, results=results)
        assert_goes_on(root, settings, server, len(storm))
        assert failures_of(root) == [kind] * len(storm)


def test_each_call_has_its_own_patience(tmp_path, results):
    """As many failures before the notes as before the edit, and neither is given up."""
    storm = [server_error()] * (KINDS["server"].tries - 1)

    def script(request):
        before_notes = "Write the notes" in request.texts[-1]
        mine = storms[before_notes]
        return mine.pop() if mine else coder(request)

    storms = {False: list(storm), True: list(storm)}
    with FakeLLM(script) as server:
        root, settings = start(tmp_path, server, results=results)
        assert go(root, settings).exit_code == 0
        assert len(server.requests) == 2 * len(storm) + 2


def test_kinds_that_take_turns_are_bounded_too(tmp_path, results):
    """Otherwise two faults that alternate would be tried up to the sum of their rows."""
    turns = [BROKEN["server"], BROKEN["rate"], BROKEN["cut"]]
    with FakeLLM(lambda request: turns[request.number % 3]) as server:
        root, settings = start(tmp_path, server, results=results)
        assert go(root, settings).exit_code == 4
        assert len(server.requests) <= 15


def test_waits_grow_from_try_to_try(tmp_path, results):
    with FakeLLM(Troubled(*[server_error()] * 4)) as server:
        root, settings = start(tmp_path, server, results=results, retry_wait=0.05)
        assert go(root, settings).exit_code == 0
        at = [request.at for request in server.requests][:5]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert all(gap >= wait for gap, wait in zip(gaps, (0.05, 0.1, 0.2, 0.4), strict=True))


@pytest.mark.parametrize("answer", [rate_limited(1), Status(503, "Busy", headers={"retry-after": "1"})])
def test_a_wait_that_the_provider_asks_for_is_kept(tmp_path, results, answer):
    with FakeLLM(Troubled(answer)) as server:
        root, settings = start(tmp_path, server, results=results)
        assert go(root, settings).exit_code == 0
        first, second, *_ = server.requests
    assert 1.0 <= second.at - first.at < 3


def test_a_wait_of_hours_is_not_waited_for(tmp_path, results):
    script = Troubled(broken=rate_limited(10800))
    with FakeLLM(script) as server:
        root, settings = start(tmp_path, server, results=results)
        began = time.monotonic()
        stop = go(root, settings)
        assert time.monotonic() - began < 10
        assert stop.exit_code == 4 and len(server.requests) == 1
        assert stop.why == "the provider's rate limit is reached; it asks to wait for 3 h 00 m"
        script.broken = None
        assert_goes_on(root, settings, server, 1)


def test_the_coder_is_told_of_no_failure_and_its_turns_are_not_counted(tmp_path, results):
    with FakeLLM(Troubled(*[server_error()] * 5, BROKEN["cut"], overloaded())) as server:
        root, settings = start(tmp_path, server, results=results, turns_per_attempt=1)
        assert go(root, settings).exit_code == 0
        asked = [request.texts for request in server.requests]
    assert all(texts == asked[0] for texts in asked[:8])


def test_a_session_that_comes_later_has_its_full_patience_again(tmp_path, results):
    with FakeLLM(Troubled(broken=server_error())) as server:
        root, settings = start(tmp_path, server, results=results)
        for session in (1, 2):
            assert go(root, settings).exit_code == 4
            assert len(server.requests) == session * KINDS["server"].tries
        assert len(world.state_of(root).calls) == 1  # still the same call


# ---- the books ----------------------------------------------------------------------------------------------------


def mapped(usage):
    """A provider's count in the ledger's words."""
    return {"prompt_tokens": usage["prompt"], "cached_tokens": usage["cached"],
            "cache_written_tokens": usage["cache_written"], "completion_tokens": usage["completion"]}  # fmt: skip


def assert_books_agree(root, server, capsys):
    """To the token with what was delivered; and every request that was not has one try that is booked above it."""
    delivered = mapped(server.delivered)
    state = world.state_of(root)
    told = ledger.total(state.calls.values())
    assert told.usage == delivered and told.unpriced == 0
    tries = [t for t in tries_of(root) if t.kind != "connection"]
    assert len(tries) == len(server.requests)
    for one, request in zip(tries, server.requests, strict=True):
        counted = mapped(request.usage)
        if request.delivered:
            assert not one.estimated and {key: one.usage.get(key, 0) for key in counted} == counted
        elif any(counted.values()):
            assert one.estimated and one.usage["prompt_tokens"] >= counted["prompt_tokens"]
            if not isinstance(request.answer, Huge):  # which ignores max_tokens
                assert one.usage["completion_tokens"] >= counted["completion_tokens"]
        else:
            assert KINDS[one.kind].billed or (one.usage, one.cost) == ({}, 0.0)
    price = sum(t.usage.get("prompt_tokens", 0) * IN + t.usage.get("completion_tokens", 0) * OUT for t in tries) / 1e6
    assert told.cost == pytest.approx(price)
    capsys.readouterr()
    assert main(["show", str(root), "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    assert cost["usage"] == delivered and cost["estimated_usage"] == told.estimated
    assert cost["tries"] == len(tries_of(root))
    assert cost["dollars"] == pytest.approx(price, abs=1e-6)
    sure = (delivered["prompt_tokens"] * IN + delivered["completion_tokens"] * OUT) / 1e6
    assert cost["dollars"] - cost["estimated_dollars"] == pytest.approx(sure, abs=2e-6)
    assert sum(phase["dollars"] for phase in cost["phases"].values()) == pytest.approx(cost["dollars"], abs=1e-5)


def everything():
    """Every error of the list, and odd replies among them; each stands before a good reply at some point."""
    half = 'I change the rate.\n\nexperiment.py\n```python\n<<<<<<< SEARCH\n    "learning_rate"'
    return [
        rate_limited(), rate_limited(0.2), server_error(500), server_error(503), overloaded(), BROKEN["key"],
        Hang(), Hang(after=60, text=WORDS), Cut(WORDS, after=150), Cut(WORDS, after=60, reset=True), no_credit(),
        Cut(WORDS, after=60, quiet=True), Say(half, finish="length"), Say("", cached=11), Garbage(), BROKEN["context"],
        Cut(WORDS, after=60, error=overloaded()), Cut(), Say(WORDS, reasoning="Well."), Huge(10_000_000), BROKEN["model"],
        Garbage('{"ok": true}', "application/json"), Status(302, "Moved"), Status(403, "Not yours"), BROKEN["refused"],
        rate_limited(10800), Say(WORDS, finish="content_filter"), Say(WORDS, usage=False), BROKEN["request"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "stream"),
    [("openai", True), ("anthropic", True), ("anthropic", False)],
    ids=["openai", "anthropic", "whole"],
)
def test_a_study_in_which_everything_goes_wrong_is_finished_and_its_books_agree(
    tmp_path, results, capsys, protocol, stream
):
    troubles = everything()
    number = len(troubles)
    script = Troubled(*troubles)
    in_quarters = None if stream else (lambda text: len(text) // 4)  # ten megabytes at once are slow to count
    with FakeLLM(script, **({"count": in_quarters} if in_quarters else {})) as server:
        chosen = {"reply_timeout": 0.8 if not stream else 0.3, "stream": stream, "turns_per_attempt": 10, "max_runs": 2}
        root, settings = start(tmp_path, server, protocol, results=results, **chosen)
        codes = []
        while not codes or codes[-1] != 0:
            codes.append(go(root, settings).exit_code)
            assert len(codes) < 25
        assert set(codes) == {0, 2, 4} and not script.first
        state = world.state_of(root)
        assert [run.name for run in state.good] == ["run_1", "run_2"] and state.noted == {"run_1", "run_2"}
        assert len(server.requests) <= number + 6
        assert_books_agree(root, server, capsys)


def test_what_a_study_used_is_the_providers_count_when_nothing_goes_wrong(tmp_path, results, capsys):
    answers = iter([7, 19, 0, 5])

    def script(request):
        return Say(coder(request).text, cached=next(answers), reasoning="Let me see.")

    with FakeLLM(script) as server:
        root, settings = start(tmp_path, server, results=results, max_runs=3)
        assert go(root, settings).exit_code == 0
        assert ledger.total(world.state_of(root).calls.values()).estimated_cost == 0
        assert_books_agree(root, server, capsys)


# ---- the command itself, watched ----------------------------------------------------------------------------------

WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    with open(os.environ["WATCHED_HOSTS"], "a") as hosts:
        hosts.write(f"{host.decode() if isinstance(host, bytes) else host}\\n")

sys.addaudithook(watch)
"""
ONE_PROCESS = """
import json, sys
from agent.cli import main
codes = [main(words) for words in json.load(sys.stdin)]
print("codes", codes)
"""


class Place:
    """An empty home, a watched network, and a working directory with an idea in it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("home", "work", "watch", "tmp"):
            (folder / name).mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCH)
        idea = json.loads((world.TOY / "ideas" / "iterate_averaging.json").read_text())
        idea["Template"] = str(world.TOY / "template")
        (folder / "work" / "idea.json").write_text(json.dumps(idea))
        home = str(folder / "home")
        folders = {f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("CONFIG", "CACHE", "DATA", "STATE")}
        keys = {f"{name}_API_KEY": KEY for name in ("OPENAI", "ANTHROPIC", "OPENROUTER", "DEEPSEEK")}
        root = str(Path(__file__).parents[2])
        self.env = {
            "PATH": os.environ["PATH"], "HOME": home, **folders, **keys, "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": f"{folder / 'watch'}{os.pathsep}{root}", "WATCHED_HOSTS": str(folder / "hosts"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        self.said = ""

    def python(self, *words, given=""):
        done = subprocess.run([sys.executable, *map(str, words)], cwd=self.folder / "work", env=self.env, input=given,
                              capture_output=True, text=True, timeout=100)  # fmt: skip
        self.said += done.stdout + done.stderr
        return done

    def words(self, model, url, results):
        settings = {"base_url": url, "price": "3/15", "retry_wait": 0.01, "executor": "inline"}
        chosen = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return ["run", "idea.json", "-m", model, "--max-runs", "1", "-o", results, *chosen]

    def study(self, results):
        return next((self.folder / "work" / results).glob("2*"))

    def hosts(self):
        return set((self.folder / "hosts").read_text().split())

    def assert_clean(self):
        """Nobody but loopback was asked, nothing was left at home, and the key is nowhere."""
        assert self.hosts() <= {"127.0.0.1", "localhost", "::1"}
        assert [str(p) for p in (self.folder / "home").rglob("*")] == []
        assert KEY not in self.said
        files = [p for p in self.folder.rglob("*") if p.is_file()]
        assert [str(p) for p in files if KEY.encode() in p.read_bytes()] == []
        for git in (self.folder / "work").rglob(".git"):
            argv = ["git", f"--git-dir={git}", "cat-file", "--batch-all-objects", "--batch"]
            assert KEY.encode() not in subprocess.run(argv, capture_output=True, check=True).stdout


def leaky(request):
    """A coder that puts the key, which it was sent, into its words, its code and its notes."""
    key = next(request.headers[name] for name in ("authorization", "x-api-key") if name in request.headers)
    key = key.removeprefix("Bearer ")
    text = coder(request).text
    text = text.replace('": 0.04,\n', f'": 0.04,  # {key}\n').replace("What run_1", f"What {key} run_1")
    return Say(f"Your key is {key}.\n\n{text}")


def test_the_command_asks_nobody_else_leaves_nothing_at_home_and_writes_the_key_nowhere(tmp_path):
    place = Place(tmp_path)
    echo = Status(401, f"Incorrect API key provided: {KEY}.", "invalid_request_error", "invalid_api_key")
    faults = [server_error(), rate_limited(0.1), Cut(WORDS, after=150), Garbage(f"<p>{KEY}</p>"), echo]
    with FakeLLM(lambda request: faults.pop(0) if faults else leaky(request)) as server:
        refused = place.python("-m", "agent", *place.words("openai/test", server.openai_url, "results"))
        assert refused.returncode == 2 and "does not accept the key" in refused.stdout
        assert len(server.requests) == 5
        resumed = place.python("-m", "agent", "resume", "last", "-o", "results")
        assert resumed.returncode == 0 and "Traceback" not in resumed.stdout + resumed.stderr
        assert len(server.requests) == 7
        shown = place.python("-m", "agent", "show", "last", "-o", "results", "--json")
        assert json.loads(shown.stdout)["cost"]["usage"] == mapped(server.delivered)
    root = place.study("results")
    assert "# [key]" in (root / "experiment.py").read_text()
    assert "Your key is [key]." in (root / ".study" / "llm" / "chat.md").read_text()
    assert "[key]" in (root / "notes" / "run_1.txt").read_text()
    place.assert_clean()


def test_names_of_many_providers_ask_nobody_but_the_base_url(tmp_path):
    place = Place(tmp_path)
    models = {
        "anthropic/claude-sonnet-4-5": "anthropic", "openrouter/meta-llama/llama-3-70b-instruct": "openai",
        "deepseek/deepseek-chat": "openai", "ollama_chat/llama3": "anthropic",
    }  # fmt: skip
    faults = [server_error(), Cut(WORDS, after=150)] * 3
    seen = []

    def script(request):
        fresh = request.model not in seen
        seen.append(request.model)
        return faults.pop() if fresh or seen.count(request.model) == 2 else leaky(request)

    with FakeLLM(script) as server:
        urls = {"openai": server.openai_url, "anthropic": server.anthropic_url}
        given = [place.words(model, urls[kind], f"results{n}") for n, (model, kind) in enumerate(models.items())]
        done = place.python("-c", ONE_PROCESS, given=json.dumps(given))
        assert done.stdout.splitlines()[-1] == "codes [0, 0, 0, 2]"  # the fake speaks no Ollama, and says 404
        assert len(server.requests) == 3 * 4
        for n in range(3):
            used = ledger.total(world.state_of(place.study(f"results{n}")).calls.values())
            assert used.usage == mapped(providers.counted(server.requests[4 * n : 4 * n + 4]))
    place.assert_clean()
