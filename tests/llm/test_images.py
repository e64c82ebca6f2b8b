"""Images of a prompt: sent as their bytes to a model that can see, and to no other; booked before, and never in the way."""

import base64
import json
from pathlib import Path

import pytest

from agent.core.config import Settings
from agent.core.prompt import Image, NoReply, Prompt
from agent.llm import library
from agent.llm.choose import choose
from agent.llm.client import with_images
from agent.llm.manual import ManualModel
from agent.llm.replay import ReplayModel
from tests.fake_llm import FakeLLM, Say, Status, server_error

DOT = (Path(__file__).parents[1] / "writing" / "dot.png").read_bytes()
OTHER = DOT[:-1] + b"\x00"
IMAGES = (Image("figures/a.png", "1" * 64, DOT), Image("figures/b.png", "2" * 64, OTHER))


@pytest.fixture(autouse=True, scope="module")
def imported():
    library.litellm()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for provider in ("OPENAI", "ANTHROPIC", "DEEPSEEK", "OPENROUTER"):
        monkeypatch.setenv(f"{provider}_API_KEY", "sk-test-0123456789abcdefghij")


def prompt(images=IMAGES, files=(("plot.py", "labels = {}\n"),)):
    return Prompt("0007-figures", "figures", "figures", 1, "Stable.", files, "Read the figures.", images)


def ask(asked, model="openai/test", answers=(), **settings):
    with FakeLLM(answers or [Say("Done.")]) as server:
        url = server.anthropic_url if model.startswith("anthropic/") else server.openai_url
        given = {"price": "3/15", "reply_tokens": 500, "reply_timeout": 20, **settings}
        outcome = choose(Settings(model=model, base_url=url, **given)).complete(asked, lambda: None)
        return outcome, server.requests


def sent_images(request):
    """The bytes of all images in a request, of either protocol."""
    parts = [
        part for message in request.messages if isinstance(message["content"], list) for part in message["content"]
    ]
    openai = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert all(url.startswith("data:image/png;base64,") for url in openai)
    theirs = [part["source"]["data"] for part in parts if part["type"] == "image"]
    return [base64.b64decode(text) for text in [*(url.partition(",")[2] for url in openai), *theirs]]


@pytest.mark.parametrize("files", [(("plot.py", "labels = {}\n"),), ()])
@pytest.mark.parametrize(
    "model", ["openai/gpt-4o", "openai/gpt-5", "anthropic/claude-sonnet-4-5", "openrouter/anthropic/claude-sonnet-4"]
)
def test_a_model_that_can_see_gets_the_bytes_of_each_image_after_what_is_asked(model, files):
    reply, (request,) = ask(prompt(files=files), model)
    assert reply.text == "Done."
    assert sent_images(request) == [DOT, OTHER]
    last = request.messages[-1]["content"]
    assert "Read the figures." in last[0]["text"]
    assert [part.get("text") for part in last[1::2]] == ["figures/a.png:", "figures/b.png:"]


@pytest.mark.parametrize("model", ["openai/test", "deepseek/deepseek-chat"])
def test_a_model_that_cannot_see_gets_none(model):
    _, (request,) = ask(prompt(), model)
    assert sent_images(request) == [] and base64.b64encode(DOT)[:40].decode() not in json.dumps(request.body)
    assert all(isinstance(message["content"], str) for message in request.messages)


def test_whether_images_are_sent_can_be_said_for_a_server_of_ones_own():
    assert sent_images(ask(prompt(), images="yes")[1][0]) == [DOT, OTHER]
    assert sent_images(ask(prompt(), "openai/gpt-4o", images="no")[1][0]) == []


def test_a_prompt_without_images_is_sent_as_before():
    _, (request,) = ask(prompt(images=()), "openai/gpt-4o")
    assert all(isinstance(message["content"], str) for message in request.messages)
    assert ask(prompt(images=()), images="yes")[1][0].body == ask(prompt(images=()), images="no")[1][0].body


def test_an_image_whose_bytes_are_gone_is_not_sent():
    gone = (Image("figures/a.png", "1" * 64), IMAGES[1])
    assert sent_images(ask(prompt(gone), images="yes")[1][0]) == [OTHER]


def worst(asked, model="openai/test", **settings):
    chosen = choose(Settings(model=model, base_url="http://127.0.0.1:9/v1", price="3/15", **settings))
    return chosen.worst(asked)


def test_images_are_booked_before_they_are_sent_and_only_where_they_are():
    bare = worst(prompt(images=()), images="yes").usage["prompt_tokens"]
    assert worst(prompt(), images="yes").usage["prompt_tokens"] >= bare + 2 * 6_000
    assert worst(prompt(), images="no").usage["prompt_tokens"] == bare
    dear = worst(prompt(), "openai/gpt-4o-mini").usage["prompt_tokens"]
    assert dear >= bare + 2 * (2_833 + 8 * 5_667)


def test_a_provider_that_takes_no_images_after_all_is_asked_in_words():
    refusal = Status(400, "This model does not support image input.", "invalid_request_error")
    reply, requests = ask(prompt(), answers=[refusal, Say("Done.")], images="yes")
    assert reply.text == "Done." and [len(sent_images(request)) for request in requests] == [2, 0]
    assert requests[0].texts[:-1] == requests[1].texts[:-1]
    assert requests[0].texts[-1] == requests[1].texts[-1] + "figures/a.png:figures/b.png:"


def test_other_failures_are_not_taken_for_a_want_of_sight():
    outcome, requests = ask(prompt(), answers=[server_error()], images="yes")
    assert isinstance(outcome, NoReply) and outcome.kind == "server" and len(requests) == 1
    refusal = Status(400, "no", "invalid_request_error")
    outcome, requests = ask(prompt(images=()), answers=[refusal], images="yes")
    assert isinstance(outcome, NoReply) and len(requests) == 1


def test_a_mark_for_the_cache_leaves_images_in_their_message():
    from agent.llm.client import _marked

    (marked,) = _marked([with_images({"role": "user", "content": "Read."}, [("a.png", DOT)])])
    assert [part["type"] for part in marked["content"]] == ["text", "text", "image_url"]
    assert "cache_control" in marked["content"][0]


def test_people_programs_and_recordings_have_the_text_alone(tmp_path):
    (tmp_path / "0007-figures.reply.md").write_text("Done.")
    (tmp_path / "0007-figures.prompt.md").write_text(prompt().text())
    assert ManualModel(tmp_path, still=0.01, poll=0.01).complete(prompt(), lambda: None).text == "Done."
    recording = tmp_path / "r.jsonl"
    recording.write_text(json.dumps({"action": "figures", "run": "figures", "turn": 1, "reply": "Done."}) + "\n")
    assert ReplayModel(recording).complete(prompt(), lambda: None).text == "Done."


def test_a_stored_prompt_has_the_names_of_its_images_and_older_ones_load():
    stored = json.loads(json.dumps(prompt().to_json()))
    again = Prompt.from_json(stored)
    assert again == prompt() and again.sha256 == prompt().sha256 and again.images[0].data == b""
    assert base64.b64encode(DOT)[:40].decode() not in json.dumps(stored)
    older = {key: value for key, value in prompt(images=()).to_json().items() if key != "images"}
    assert Prompt.from_json(older) == prompt(images=())
    changed = (Image("figures/a.png", "3" * 64, DOT), IMAGES[1])
    assert len({prompt().sha256, prompt(images=()).sha256, prompt(changed).sha256}) == 3
