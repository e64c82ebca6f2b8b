"""The fake LLM server speaks both protocols as the real client hears them, and keeps honest books."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.fake_llm import (
    Cut,
    FakeLLM,
    Garbage,
    Hang,
    Huge,
    Say,
    Status,
    context_overflow,
    no_credit,
    not_found,
    overloaded,
    rate_limited,
    server_error,
    simple_count,
    unauthorized,
)

ASK = [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hello, you!"}]
ASKED = 3 + 4 + 2 * 3  # words and marks of both messages, and three for each
NONE = {"prompt": 0, "completion": 0, "cached": 0, "cache_written": 0}
BOTH = pytest.mark.parametrize("protocol", ["openai", "anthropic"])
EITHER = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def litellm():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    return pytest.importorskip("litellm")


def post(server, path, timeout=10, **body):
    """The open connection and the response to a call made by hand."""
    connection = http.client.HTTPConnection(urlsplit(server.openai_url).netloc, timeout=timeout)
    connection.request("POST", path, json.dumps({"model": "test", "messages": ASK, **body}))
    return connection, connection.getresponse()


def read(server, path, **body):
    connection, response = post(server, path, **body)
    text = response.read().decode()
    connection.close()
    return response.status, text


def pieces(text):
    """The JSON of each data line of a stream."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


PATH = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


def complete(litellm, server, protocol, **more):
    """A real call with no retries: (text, finish, usage)."""
    model = {"openai": "openai/test", "anthropic": "anthropic/claude-sonnet-4-5"}[protocol]
    base = server.openai_url if protocol == "openai" else server.anthropic_url
    given = {"messages": ASK, "api_key": "k", "timeout": 10, "max_retries": 0, "num_retries": 0, **more}
    if not given.get("stream"):
        reply = litellm.completion(model=model, api_base=base, **given)
        return reply.choices[0].message.content, reply.choices[0].finish_reason, reply.usage
    text, finish, usage = "", None, None
    for chunk in litellm.completion(model=model, api_base=base, stream_options={"include_usage": True}, **given):
        usage = getattr(chunk, "usage", None) or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return text, finish, usage


# ---- by hand ------------------------------------------------------------------------------------------------------


def test_openai_streams_deltas_then_the_usage_alone_then_done():
    with FakeLLM([Say("Hello, world", chunk=5)]) as server:
        _, text = read(server, "/v1/chat/completions", stream=True, stream_options={"include_usage": True})
    told = pieces(text)
    assert text.endswith("data: [DONE]\n\n")
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in told[:-1]) == "Hello, world"
    assert [c["choices"][0]["delta"].get("content") for c in told[1:4]] == ["Hello", ", wor", "ld"]
    assert told[-2]["choices"][0]["finish_reason"] == "stop"
    assert told[-1]["choices"] == [] and told[-1]["usage"]["total_tokens"] == ASKED + 3


def test_a_stream_tells_no_usage_unless_asked_and_then_nothing_is_delivered():
    with FakeLLM([Say("Hi")]) as server:
        _, text = read(server, "/chat/completions", stream=True)
        assert "usage" not in text
        assert server.delivered == NONE and server.undelivered["completion"] == 1


def test_anthropic_streams_its_events_in_order_with_usage_at_both_ends():
    with FakeLLM([Say("Hello", finish="length", cached=4, cache_written=2)]) as server:
        _, text = read(server, "/v1/messages", stream=True)
    told = pieces(text)
    assert [line[7:] for line in text.splitlines() if line.startswith("event: ")] == [c["type"] for c in told]
    start, block, delta, stop, last, end = told
    assert (start["type"], end["type"]) == ("message_start", "message_stop")
    assert (block["type"], delta["delta"]["text"], stop["type"]) == (
        "content_block_start",
        "Hello",
        "content_block_stop",
    )
    assert last["delta"]["stop_reason"] == "max_tokens"
    billed = {"input_tokens": ASKED - 6, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}
    assert start["message"]["usage"] == {**billed, "output_tokens": 1}
    assert last["usage"] == {**billed, "output_tokens": 1}


@pytest.mark.parametrize(
    ("finish", "stop"), [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")]
)
def test_finishes_have_both_names(finish, stop):
    with FakeLLM([Say("x", finish=finish)], repeat=True) as server:
        assert json.loads(read(server, "/v1/chat/completions")[1])["choices"][0]["finish_reason"] == finish
        assert json.loads(read(server, "/v1/messages")[1])["stop_reason"] == stop


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_thought_comes_before_the_text_and_is_billed(path):
    with FakeLLM([Say("I was thinking", reasoning="Let me see")]) as server:
        _, text = read(server, path, stream=True, stream_options={"include_usage": True})
        assert text.index("Let me see") < text.index("I was thinking")
        assert server.delivered["completion"] == 6
    if path == "/v1/messages":
        kinds = [(told["index"], told["type"][14:]) for told in pieces(text) if "index" in told]
        deltas = ["delta"] * 2
        assert kinds == [(0, kind) for kind in ["start", *deltas, "stop"]] + [
            (1, k) for k in ["start", "delta", "stop"]
        ]


def test_both_protocols_count_the_same_conversation_alike():
    system, user = ASK
    parts = [{"type": "text", "text": "Hello, "}, {"type": "text", "text": "you!"}]
    with FakeLLM([Say("Hi")], repeat=True) as server:
        read(server, "/v1/chat/completions")
        read(server, "/v1/messages", messages=[user], system=[{"type": "text", "text": system["content"]}])
        read(server, "/v1/messages", messages=[{"role": "user", "content": parts}], system=system["content"])
        assert [call.usage["prompt"] for call in server.requests] == [ASKED] * 3


@BOTH
def test_errors_have_the_shape_of_the_protocol(protocol):
    script = [unauthorized("sk-x"), not_found("m"), rate_limited(7), no_credit(), context_overflow(), overloaded()]
    with FakeLLM([*script, server_error()]) as server:
        told = [(status, json.loads(text)) for status, text in (read(server, PATH[protocol]) for _ in range(7))]
    if protocol == "openai":
        assert [status for status, _ in told] == [401, 404, 429, 429, 400, 529, 500]
        codes = [
            "invalid_api_key",
            "model_not_found",
            "rate_limit_exceeded",
            "insufficient_quota",
            "context_length_exceeded",
        ]
        assert [body["error"]["code"] for _, body in told] == [*codes, None, None]
        assert "sk-x" in told[0][1]["error"]["message"]
    else:
        assert [status for status, _ in told] == [401, 404, 429, 400, 400, 529, 500]
        kinds = ["authentication_error", "not_found_error", "rate_limit_error", "invalid_request_error"]
        kinds += ["invalid_request_error", "overloaded_error", "api_error"]
        assert [(body["type"], body["error"]["type"]) for _, body in told] == [("error", kind) for kind in kinds]
    assert server.undelivered == NONE, "an error is not billed"


def test_a_limit_is_obeyed_where_the_script_says_so():
    with FakeLLM([Say("one two three", obey_limit=True), Say("one two three")]) as server:
        cut, kept = (json.loads(read(server, "/v1/chat/completions", max_tokens=2)[1]) for _ in range(2))
    assert cut["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "one two "},
        "finish_reason": "length",
    }
    assert cut["usage"]["completion_tokens"] == 2
    assert kept["choices"][0]["message"]["content"] == "one two three"


def test_a_script_that_has_ended_says_so():
    with FakeLLM([Say("x")]) as server:
        read(server, "/v1/chat/completions")
        status, text = read(server, "/v1/chat/completions")
    assert status == 500 and "request 2 has no answer" in text and server.overrun == 1


def test_a_script_may_be_a_function_of_the_request():
    with FakeLLM(lambda call: Say(call.messages[-1]["content"].upper())) as server:
        assert "HELLO, YOU!" in read(server, "/v1/chat/completions")[1]


def test_a_bug_in_a_script_fails_the_test():
    with pytest.raises(KeyError), FakeLLM(lambda call: {}["no"]) as server, pytest.raises(OSError):
        read(server, "/v1/chat/completions")


def test_models_are_listed_and_other_paths_are_refused():
    with FakeLLM([]) as server:
        connection = http.client.HTTPConnection(urlsplit(server.openai_url).netloc)
        connection.request("GET", "/v1/models")
        assert json.load(connection.getresponse())["data"][0]["id"] == "test"
        connection.close()
        assert read(server, "/v1/responses")[0] == 404
        assert server.requests == []


# ---- silence and breaks ---------------------------------------------------------------------------------------------


@EITHER
def test_a_hang_ends_when_the_server_stops(stream):
    with FakeLLM([Hang(after=5)]) as server:
        failures = []

        def hang():
            try:
                read(server, "/v1/chat/completions", stream=stream)
            except (OSError, http.client.HTTPException) as problem:
                failures.append(problem)

        client = threading.Thread(target=hang)
        client.start()
        assert server.wait_for(1)[0].model == "test"
        began = time.monotonic()
    client.join(5)
    assert failures and time.monotonic() - began < 2
    assert server.undelivered["prompt"] == ASKED


def test_a_client_that_goes_away_is_noticed_and_what_it_missed_is_billed():
    with FakeLLM([Say("word " * 100, pause=0.05, chunk=5)]) as server:
        connection, response = post(server, "/v1/chat/completions", stream=True, stream_options={"include_usage": True})
        response.read1(10)
        response.close(), connection.close()
        deadline = time.monotonic() + 2
        while server.requests[0].state != "done" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.requests[0].state == "done"
        assert server.delivered == NONE and server.undelivered["completion"] == 100


def test_a_reply_that_was_sent_but_never_read_is_not_delivered():
    with FakeLLM([Say("word " * 100_000)]) as server:
        connection, response = post(server, "/v1/chat/completions")
        response.close(), connection.close()
        assert server.delivered == NONE and server.undelivered["completion"] == 100_000


@EITHER
def test_a_cut_reply_is_billed_in_full(stream):
    with FakeLLM([Cut("one two three", after=5)]) as server:
        with pytest.raises(http.client.IncompleteRead) as caught:
            read(server, "/v1/chat/completions", stream=stream)
        assert not stream or pieces(caught.value.partial.decode())[-1]["choices"][0]["delta"] == {"content": "one t"}
        assert server.undelivered == {**NONE, "prompt": ASKED, "completion": 3}


def test_a_quiet_end_has_neither_finish_nor_usage():
    with FakeLLM([Cut("one two three", after=5, quiet=True)]) as server:
        _, text = read(server, "/v1/chat/completions", stream=True, stream_options={"include_usage": True})
        assert "one t" in text and "usage" not in text and "DONE" not in text
        assert [told["choices"][0]["finish_reason"] for told in pieces(text)] == [None, None]
        assert server.delivered == NONE


def test_many_at_once_are_all_booked():
    with FakeLLM([Say("one two", pause=0.01)], repeat=True) as server:
        clients = [threading.Thread(target=read, args=(server, path)) for path in list(PATH.values()) * 20]
        [client.start() for client in clients]
        [client.join() for client in clients]
        assert sorted(call.number for call in server.requests) == list(range(1, 41))
        assert server.delivered == {**NONE, "prompt": 40 * ASKED, "completion": 80}


# ---- through litellm ------------------------------------------------------------------------------------------------


@BOTH
@EITHER
def test_litellm_hears_text_finish_and_exact_usage(litellm, protocol, stream):
    said = Say("Hello there, dear friend of mine, and also you others over there.", cached=4, cache_written=2)
    with FakeLLM([said]) as server:
        text, finish, usage = complete(litellm, server, protocol, stream=stream)
        assert (text, finish) == (said.text, "stop")
        assert (usage.prompt_tokens, usage.completion_tokens) == (ASKED, simple_count(said.text))
        assert usage.prompt_tokens_details.cached_tokens == 4
        if protocol == "anthropic":
            assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (4, 2)
        assert server.delivered == server.requests[0].usage and server.undelivered == NONE


@BOTH
@EITHER
def test_litellm_shows_how_long_to_wait(litellm, protocol, stream):
    with FakeLLM([rate_limited(retry_after=7)]) as server, pytest.raises(litellm.RateLimitError) as caught:
        complete(litellm, server, protocol, stream=stream)
    assert caught.value.litellm_response_headers["retry-after"] == "7"


@BOTH
@EITHER
def test_litellm_raises_on_a_cut_reply(litellm, protocol, stream):
    with FakeLLM([Cut("word " * 50, after=100)]) as server, pytest.raises(litellm.exceptions.openai.APIError):
        complete(litellm, server, protocol, stream=stream)


@BOTH
@pytest.mark.parametrize("broken", [Garbage(), Cut("word " * 50, after=100, quiet=True)], ids=["garbage", "quiet"])
def test_litellm_raises_nothing_on_a_stream_that_has_no_end_but_knows_of_no_finish(litellm, protocol, broken):
    """What a client must look at by itself: litellm says "stop", and may make up a usage."""
    model = {"openai": "openai/test", "anthropic": "anthropic/claude-sonnet-4-5"}[protocol]
    with FakeLLM([broken]) as server:
        base = server.openai_url if protocol == "openai" else server.anthropic_url
        reply = litellm.completion(model=model, api_base=base, api_key="k", messages=ASK, stream=True, max_retries=0)
        told = [choice.finish_reason for chunk in reply for choice in chunk.choices]
    assert "stop" in told and reply.received_finish_reason is None


@BOTH
def test_litellm_gives_up_on_a_silent_server(litellm, protocol):
    with FakeLLM([Hang()]) as server, pytest.raises(litellm.Timeout):
        complete(litellm, server, protocol, timeout=0.3)


@BOTH
def test_ten_megabytes_arrive_quickly(litellm, protocol):
    with FakeLLM([Huge(10_000_000)]) as server:
        began = time.monotonic()
        text, _, usage = complete(litellm, server, protocol)
        assert len(text) == 10_000_000 and time.monotonic() - began < 5
        assert server.delivered["completion"] == usage.completion_tokens > 1_000_000


# ---- as a program ---------------------------------------------------------------------------------------------------


def test_the_program_says_where_it_is_and_writes_its_books(tmp_path):
    script, ledger = tmp_path / "script.json", tmp_path / "ledger.json"
    script.write_text(json.dumps([{"say": "Hello"}, {"status": 429, "message": "Wait."}, {"hang": True}, {"huge": 9}]))
    command = [sys.executable, "-m", "tests.fake_llm", "--script", script, "--ledger", ledger]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        where = urlsplit(program.stdout.readline().strip()).netloc
        for status in (200, 429):
            connection = http.client.HTTPConnection(where, timeout=5)
            connection.request("POST", "/v1/messages", json.dumps({"model": "m", "messages": ASK}))
            response = connection.getresponse()
            assert (response.status, len(response.read()) > 9) == (status, True)
            connection.close()
        told = json.loads(ledger.read_text())
        program.send_signal(signal.SIGTERM)
    assert told["delivered"] == {**NONE, "prompt": ASKED, "completion": 1}
    assert [call["usage"]["completion"] for call in told["requests"]] == [1, 0]


def test_garbage_and_any_status_are_served_as_they_are():
    with FakeLLM([Garbage("<p>", "text/html"), Status(418, "tea", headers={"x-pot": "1"})]) as server:
        assert read(server, "/v1/messages") == (200, "<p>")
        connection, response = post(server, "/v1/messages")
        assert (response.status, response.headers["x-pot"]) == (418, "1")
        response.close(), connection.close()
