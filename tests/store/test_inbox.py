import json

import pytest

from agent.store import inbox


def test_messages_are_read_in_the_order_in_which_they_came(tmp_path):
    names = [inbox.drop(tmp_path / "inbox", "note", text=f"hint {n}", keep=False) for n in range(5)]
    slips = inbox.waiting(tmp_path / "inbox")
    assert [s.name for s in slips] == names
    assert [s.content["text"] for s in slips] == [f"hint {n}" for n in range(5)]


def test_a_message_stays_until_it_is_removed_and_removing_twice_is_harmless(tmp_path):
    inbox.drop(tmp_path, "stop", what="run")
    (slip,) = inbox.waiting(tmp_path)
    assert (slip.kind, slip.content) == ("stop", {"what": "run"})
    assert inbox.waiting(tmp_path) == [slip]
    inbox.remove(tmp_path, slip)
    inbox.remove(tmp_path, slip)
    assert inbox.waiting(tmp_path) == []


def test_no_inbox_is_an_empty_one(tmp_path):
    assert inbox.waiting(tmp_path / "none") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"kind": 5}',
        b"\xff",
        b"[" * 100_000,
        b'{"kind": "note"}',
        b'{"kind": "note", "text": 5}',
        b'{"kind": "note", "text": "\\ud800"}',
        b'{"kind": "note", "text": "x", "keep": "yes"}',
        b'{"kind": "stop"}',
        b'{"kind": "stop", "what": "everything"}',
        b'{"kind": "dance"}',
    ],
)
def test_what_is_no_message_is_moved_aside_and_the_others_are_read(tmp_path, content):
    (tmp_path / "0000-broken.json").write_bytes(content)
    inbox.drop(tmp_path, "note", text="hint", keep=True)
    assert [s.content for s in inbox.waiting(tmp_path)] == [{"text": "hint", "keep": True}]
    assert (tmp_path / "0000-broken.unreadable").read_bytes() == content
    assert len(inbox.waiting(tmp_path)) == 1


def test_half_a_message_is_never_seen(tmp_path):
    (tmp_path / ".0001.json.12.new").write_text(json.dumps({"kind": "note"})[:5])
    assert inbox.waiting(tmp_path) == []


def test_a_folder_that_looks_like_a_message_is_moved_aside(tmp_path):
    (tmp_path / "0000.json").mkdir()
    assert inbox.waiting(tmp_path) == []
    assert (tmp_path / "0000.unreadable").is_dir()
