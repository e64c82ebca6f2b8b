"""One try at a provider, through litellm for real: what it was asked, how it ended, what it cost, how often it was sent."""

import re
import socket
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from agent.core.config import Settings
from agent.core.errors import Interrupted
from agent.core.prompt import NoReply, Reply
from agent.core.redact import HIDDEN
from agent.llm import catalogue, library
from agent.llm.client import Client
from tests.fake_llm import (
    Cut,
    FakeLLM,
    Garbage,
    Hang,
    Huge,
    Say,
    Status,
    context_overflow,
    filler,
    no_credit,
    not_found,
    overloaded,
    rate_limited,
    server_error,
    simple_count,
    unauthorized,
)

OPENAI_KEY, ANTHROPIC_KEY = "sk-test-0123456789abcdefghij", "sk-ant-test-0123456789abcdefghij"
MODELS = {"openai": "openai/test", "anthropic": "anthropic/claude-sonnet-4-5"}
WORDS = "word " * 50
ASK = [
    {"role": "system", "content": "The rules. " * 20},
    {"role": "user", "content": "The files: config = {'rate': 1}"},
    {"role": "assistant", "content": "I have read them."},
    {"role": "user", "content": "Change {the rate}."},
]


def in_seconds(seconds):
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


@pytest.fixture(autouse=True, scope="module")
def imported():
    """So that no test pays for the import with its own time."""
    library.litellm()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", ANTHROPIC_KEY)


@pytest.fixture(params=["openai streamed", "openai whole", "anthropic streamed", "anthropic whole"])
def way(request):
    protocol, how = request.param.split()
    return protocol, how == "streamed"


def client(server, way, **settings):
    protocol, stream = way
    url = server.openai_url if protocol == "openai" else server.anthropic_url
    given = {"price": "3/15", "reply_timeout": 20, "reply_tokens": 2000, **settings}
    chosen = Settings(model=MODELS[protocol], base_url=url, stream=stream, **given)
    return Client(catalogue.look_up(chosen), chosen)


def once(answer, way, count=simple_count, **settings):
    """The outcome of one try, and the only request that it made. A second one would be answered as well, and be seen."""
    with FakeLLM([answer], count, repeat=True) as server:
        outcome = client(server, way, **settings).send(ASK, lambda: None)
        server.total(True)  # waits for the books
        assert len(server.requests) == 1
        return outcome, server.requests[0]


def in_quarters(text):
    """A quick count for huge texts."""
    return len(text) // 4


def assert_billed(reply, request):
    """What the provider counted is what is booked, to the token and the cent."""
    assert request.delivered and not reply.estimated
    told = reply.usage
    assert told["prompt_tokens"] == request.usage["prompt"]
    assert told["completion_tokens"] == request.usage["completion"]
    assert told.get("cached_tokens", 0) == request.usage["cached"]
    assert told.get("cache_written_tokens", 0) == request.usage["cache_written"]
    assert reply.cost == pytest.approx(told["prompt_tokens"] * 3e-6 + told["completion_tokens"] * 15e-6)


FAILURES = {
    "key": (unauthorized(), "key"),
    "no permission": (Status(403, "Your key may not use this model"), "key"),
    "model": (not_found(), "model"),
    "rate": (rate_limited(), "rate"),
    "credit": (no_credit(), "credit"),
    "payment": (Status(402, "Insufficient Balance"), "credit"),
    "500": (server_error(500), "server"),
    "502": (server_error(502), "server"),
    "503": (server_error(503), "server"),
    "529": (overloaded(), "server"),
    "context": (context_overflow(), "context"),
    "bad request": (Status(400, "temperature: out of range"), "request"),
    "too large": (Status(413, "Request too large"), "request"),
    "teapot": (Status(418, "I am a teapot"), "request"),
    "cut": (Cut(WORDS, after=100), "cut"),
    "reset": (Cut(WORDS, after=100, reset=True), "cut"),
    "ends quietly": (Cut(WORDS, after=100, quiet=True), "cut"),
    "error in the stream": (Cut(WORDS, after=100, error=overloaded()), "cut"),
    "cut before the first byte": (Cut(), "cut"),
    "garbage": (Garbage(), "garbage"),
    "no model's JSON": (Garbage('{"ok": true}', "application/json"), "garbage"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_name_takes_one_request_and_no_time(name, way):
    answer, kind = FAILURES[name]
    began = time.monotonic()
    outcome, _ = once(answer, way)
    assert isinstance(outcome, NoReply) and outcome.kind == kind
    assert outcome.evidence and len(outcome.evidence) < 400 and "\n" not in outcome.evidence
    assert "Traceback" not in outcome.evidence and outcome.bill is None and outcome.retry_after is None
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("said", "low", "high"), [("7", 7, 7), ("0.5", 0.5, 0.5), ("10800", 10800, 10800), ("in a while", None, None)]
)
def test_the_wait_that_a_provider_asks_for_is_passed_on(said, low, high, way):
    outcome, _ = once(rate_limited(said), way)
    assert (outcome.kind, outcome.retry_after) == ("rate", low) == ("rate", high)


def test_the_wait_may_be_asked_for_as_a_date(way):
    outcome, _ = once(rate_limited(in_seconds(90)), way)
    assert 80 < outcome.retry_after <= 90
    outcome, _ = once(rate_limited(in_seconds(-90)), way)
    assert outcome.retry_after == 0


def test_an_overloaded_server_may_ask_for_a_wait_too(way):
    outcome, _ = once(Status(503, "Busy", headers={"retry-after": "11"}), way)
    assert (outcome.kind, outcome.retry_after) == ("server", 11)


@pytest.mark.parametrize("answer", [Hang(), Hang(after=40, text=WORDS)], ids=["from the start", "in the middle"])
def test_silence_ends_the_try_after_its_time(answer, way):
    began = time.monotonic()
    outcome, request = once(answer, way, reply_timeout=0.5)
    assert outcome.kind == "timeout" and not request.delivered
    assert 0.4 < time.monotonic() - began < 3


def test_a_slow_reply_may_take_longer_than_the_silence_that_is_allowed():
    outcome, request = once(Say("a b c d e f g h", chunk=2, pause=0.2), ("openai", True), reply_timeout=0.5)
    assert outcome.text == "a b c d e f g h" and outcome.seconds > 1
    assert_billed(outcome, request)


def test_a_reply_without_end_is_left_after_ten_times_that_silence():
    began = time.monotonic()
    outcome, _ = once(Say("a " * 1000, chunk=2, pause=0.1), ("openai", True), reply_timeout=0.15)
    assert outcome.kind == "timeout" and "no end" in outcome.evidence
    assert time.monotonic() - began < 4


def test_a_pool_that_is_locked_holds_up_one_call_and_not_all_later_ones(monkeypatch):
    """A lock in litellm's pool of connections was once left locked; litellm's own time-out does not see that."""
    monkeypatch.setattr("agent.llm.client._GRACE", 0.1)
    locked, real = threading.Lock(), library.litellm().completion
    kept = library.litellm().in_memory_llm_clients_cache
    locked.acquire()
    kept.set_cache("pool", locked)

    def completion(**arguments):
        if kept.get_cache("pool") is locked:
            locked.acquire()
        return real(**arguments)

    monkeypatch.setattr(library.litellm(), "completion", completion)
    with FakeLLM([Say("Hello.")]) as server:
        one = client(server, ("openai", True), reply_timeout=0.3)
        assert one.send(ASK, lambda: None).kind == "timeout"
        assert one.send(ASK, lambda: None).text == "Hello."
    locked.release()


@pytest.mark.parametrize("answer", [Hang(), Hang(after=40, text=WORDS)], ids=["from the start", "in the middle"])
def test_a_person_is_heard_while_a_provider_is_silent(answer, way):
    asked = threading.Event()

    def pulse():
        if asked.is_set():
            raise Interrupted("interrupted")

    with FakeLLM([answer]) as server:
        one = client(server, way, reply_timeout=60)
        heard = []

        def interrupt():
            server.wait_for(1)
            time.sleep(0.2)
            heard.append(time.monotonic())
            asked.set()

        threading.Thread(target=interrupt).start()
        with pytest.raises(Interrupted):
            one.send(ASK, pulse)
        assert time.monotonic() - heard[0] < 1
        assert len(server.requests) == 1


def test_a_closed_port_is_told_as_a_provider_that_cannot_be_reached(way):
    with socket.socket() as taken:  # bound and not listening: nobody else gets it
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        class Nowhere:
            openai_url, anthropic_url = f"{url}/v1", url

        began = time.monotonic()
        outcome = client(Nowhere, way).send(ASK, lambda: None)
    assert outcome.kind == "connection" and time.monotonic() - began < 4


def test_a_whole_reply_is_booked_as_the_provider_counts(way):
    text = "Change the rate.\n```\n{x}\n```\né ≤ 10 ☃\n"
    outcome, request = once(Say(text, reasoning="Let me see.", chunk=3), way)
    assert isinstance(outcome, Reply) and (outcome.text, outcome.finish) == (text, "stop")
    assert outcome.usage["completion_tokens"] > 10  # thoughts are paid for, and not part of the reply
    assert_billed(outcome, request)


@pytest.mark.parametrize("protocol", MODELS)
@pytest.mark.parametrize("stream", [True, False])
def test_what_came_from_the_cache_or_went_there_has_its_own_price(protocol, stream):
    answer = Say("Done.", cached=5, cache_written=3)
    outcome, request = once(answer, (protocol, stream), price="3/15/0.3")
    written = 3 if protocol == "anthropic" else 0
    assert outcome.usage["cached_tokens"] == 5 and outcome.usage.get("cache_written_tokens", 0) == written
    assert outcome.usage["prompt_tokens"] == request.usage["prompt"]
    fresh = request.usage["prompt"] - 5
    assert outcome.cost == pytest.approx(fresh * 3e-6 + 5 * 0.3e-6 + request.usage["completion"] * 15e-6)


@pytest.mark.parametrize(("said", "finish"), [("length", "length"), ("content_filter", "filter")])
def test_a_reply_that_was_cut_by_length_or_filter_says_so_and_is_paid_for(said, finish, way):
    outcome, request = once(Say("Half of", finish=said), way)
    assert (outcome.text, outcome.finish) == ("Half of", finish)
    assert_billed(outcome, request)


def test_an_empty_reply_is_a_reply_and_is_paid_for(way):
    outcome, request = once(Say(""), way)
    assert (outcome.text, outcome.finish) == ("", "stop")
    assert_billed(outcome, request)


def test_thoughts_alone_are_an_empty_reply_that_is_paid_for(way):
    outcome, request = once(Say("", reasoning="I wonder.", finish="length"), way)
    assert (outcome.text, outcome.finish, outcome.usage["completion_tokens"]) == ("", "length", 3)
    assert_billed(outcome, request)


@pytest.mark.parametrize("stream", [True, False])
def test_where_no_usage_is_told_the_worst_case_is_booked_and_said_to_be_a_guess(stream):
    outcome, request = once(Say("Hello there", usage=False), ("openai", stream))
    assert outcome.text == "Hello there" and outcome.estimated and not request.delivered
    assert outcome.usage["prompt_tokens"] > request.usage["prompt"]
    assert outcome.usage["completion_tokens"] == 2000
    assert outcome.cost == pytest.approx(outcome.usage["prompt_tokens"] * 3e-6 + 2000 * 15e-6)


@pytest.mark.parametrize(("stream", "kind"), [(True, "cut"), (False, "garbage")])
def test_anthropics_protocol_without_usage_is_not_understood_and_booked_at_the_worst_case(stream, kind):
    outcome, _ = once(Say("Hello there", usage=False), ("anthropic", stream))
    assert outcome.kind == kind and outcome.bill is None  # so that what was booked before the try stays


def test_ten_megabytes_are_cut_off_soon_and_booked_as_a_guess():
    for protocol in MODELS:
        began = time.monotonic()
        outcome, request = once(Huge(10_000_000), (protocol, True), in_quarters)
        assert outcome.kind == "oversize" and outcome.estimated
        read = int(re.search(r"([\d,]+) characters", outcome.evidence)[1].replace(",", ""))
        assert 40_000 <= read == outcome.bill.usage["completion_tokens"] < 200_000
        assert not request.delivered and time.monotonic() - began < 8


def test_ten_megabytes_at_once_are_read_refused_and_booked_as_the_provider_counts():
    for protocol in MODELS:
        outcome, request = once(Huge(10_000_000), (protocol, False), in_quarters)
        assert (outcome.kind, outcome.estimated) == ("oversize", False)
        assert outcome.bill.usage["completion_tokens"] == request.usage["completion"]


def test_a_prompt_that_cannot_fit_is_not_sent(way):
    with FakeLLM([Say("x")]) as server:
        small = client(server, way, context_tokens=1000)
        outcome = small.send([{"role": "user", "content": "x" * 8001}], lambda: None)
        assert outcome.kind == "context" and "1,000 tokens" in outcome.evidence
        assert server.requests == []


def tokens(text):
    """As one widespread tokenizer counts; it comes with litellm."""
    from litellm.litellm_core_utils.default_encoding import encoding

    return len(encoding.encode(text, disallowed_special=()))


def worst(text):
    class Nowhere:
        openai_url = "http://127.0.0.1:9/v1"

    return client(Nowhere, ("openai", True)).worst([{"role": "user", "content": text}]).usage


def test_the_worst_case_is_above_what_tokenizers_make_of_prose_code_and_other_scripts():
    code = Path(catalogue.__file__).read_text()
    for text in (code, code.replace("    ", "\t"), filler(20_000), "日本語です。" * 1000, "Größe, élève, ещё. " * 500):
        assert worst(text)["prompt_tokens"] >= tokens(text) + 50
        assert worst(text)["completion_tokens"] == 2000


@pytest.mark.parametrize(
    "text", ["0.00123, 4.5678e-05\n", "≤≥≠→", "🦩🪿🫨", "\t\tx\n", "ᚠᚢᚦ", "aGVsbG8gd29ybGQhIQ", "{}[]();:,."]
)
def test_the_worst_case_is_above_what_tokenizers_make_of_any_text(text):
    assert worst(text * 2000)["prompt_tokens"] >= tokens(text * 2000)


# ---- what is sent -------------------------------------------------------------------------------------------------


def test_the_request_carries_the_limit_the_key_and_the_whole_text(way):
    _, request = once(Say("ok"), way, reply_tokens=777)
    assert request.limit == 777 and request.streamed == way[1]
    protocol = way[0]
    said = request.headers["authorization" if protocol == "openai" else "x-api-key"]
    assert said == (f"Bearer {OPENAI_KEY}" if protocol == "openai" else ANTHROPIC_KEY)
    assert [text.strip() for text in request.texts] == [m["content"].strip() for m in ASK]


def test_a_server_of_ones_own_needs_no_key(way, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    outcome, request = once(Say("ok"), way)
    assert outcome.text == "ok" and "none" in str(request.headers)


def test_anthropic_is_told_what_to_cache_and_openai_is_not():
    _, request = once(Say("ok"), ("openai", True))
    assert "cache_control" not in str(request.body)
    _, request = once(Say("ok"), ("anthropic", True))
    marked = [m for m in request.messages if "cache_control" in str(m)]
    assert "cache_control" in str(request.body["system"])
    assert [m["role"] for m in marked] == ["assistant"]  # what follows is new each time; all before it stays


@pytest.mark.parametrize("protocol", MODELS)
def test_a_key_that_is_echoed_is_hidden_in_what_is_told(protocol):
    key = OPENAI_KEY if protocol == "openai" else ANTHROPIC_KEY
    echo = Status(401, f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key")
    for stream in (True, False):
        outcome, _ = once(echo, (protocol, stream))
        assert outcome.kind == "key" and key not in outcome.evidence and HIDDEN in outcome.evidence


@pytest.mark.parametrize("protocol", MODELS)
def test_a_key_that_is_echoed_in_a_reply_is_hidden_there(protocol):
    key = OPENAI_KEY if protocol == "openai" else ANTHROPIC_KEY
    for stream in (True, False):
        outcome, _ = once(Say(f"Your key is {key}!", chunk=3), (protocol, stream))
        assert outcome.text == f"Your key is {HIDDEN}!"


def test_a_reply_keeps_words_that_are_keys_elsewhere_and_names_that_look_like_keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "anything")  # as people do for a server of their own
    text = "Put anything into sk-learn-compatible-estimators."
    outcome, _ = once(Say(text), ("openai", True))
    assert outcome.text == text


def test_a_parameter_that_is_refused_is_the_requests_fault_although_litellm_asks_twice():
    for stream in (True, False):
        with FakeLLM([Status(422, "Unprocessable")], repeat=True) as server:
            outcome = client(server, ("openai", stream)).send(ASK, lambda: None)
            assert outcome.kind == "request" and len(server.requests) == 2


def test_many_studies_may_ask_at_once_and_each_gets_its_own_reply():
    with FakeLLM(lambda request: Say(request.texts[-1].upper())) as server:
        one, said = client(server, ("openai", True)), {}

        def ask(word):
            said[word] = one.send([{"role": "user", "content": word}], lambda: None).text

        threads = [threading.Thread(target=ask, args=(f"word {n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert said == {f"word {n}": f"WORD {n}" for n in range(8)}
        assert len(server.requests) == 8


def test_a_long_reply_within_the_limit_is_read_whole():
    text = filler(30_000)
    outcome, request = once(Say(text), ("openai", True))
    assert outcome.text == text
    assert_billed(outcome, request)
