"""What network = "hub" lets through, case by case: names, ports, addresses, and the first message of TLS."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.hub import HUB, Allowed, Refused, Target, may_connect, named_in, target_of


def asked(line: str, *headers: str) -> Target | Refused:
    return target_of("\r\n".join([line, *headers, "", ""]).encode("latin-1"), HUB)


def hello(name: str | None) -> bytes:
    """What Python's TLS sends first."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("asked_for", "host"),
    [
        ("huggingface.co:443", "huggingface.co"),
        ("HuggingFace.CO:443", "huggingface.co"),
        ("huggingface.co.:443", "huggingface.co"),
        ("hf.co:443", "hf.co"),
        ("cdn-lfs-us-1.hf.co:443", "cdn-lfs-us-1.hf.co"),
        ("cas-bridge.xethub.hf.co:443", "cas-bridge.xethub.hf.co"),
    ],
)
def test_the_hub_and_what_lies_below_it_is_reached_at_port_443(asked_for, host):
    assert asked(f"CONNECT {asked_for} HTTP/1.1", f"Host: {asked_for}", "User-Agent: x") == Target(host, 443)


@pytest.mark.parametrize(
    ("asked_for", "status"),
    [
        ("huggingface.co.evil.org:443", 403),
        ("evilhuggingface.co:443", 403),
        ("evil-hf.co:443", 403),
        ("co:443", 403),
        ("localhost:443", 403),
        ("127.0.0.1:443", 403),
        ("2130706433:443", 403),
        ("0x7f.1:443", 403),
        ("[::1]:443", 400),
        ("[::ffff:127.0.0.1]:443", 400),
        ("huggingface.co:80", 403),
        ("huggingface.co:4430", 403),
        ("huggingface.co:0443", 200),
        ("huggingface.co:443443", 400),
        ("huggingface.co", 400),
        ("huggingface.co:", 400),
        ("huggingface.co..:443", 400),
        (".huggingface.co:443", 400),
        ("a..huggingface.co:443", 400),
        ("user@huggingface.co:443", 400),
        ("huggingface.co:443@evil.org:443", 400),
        ("evil.org/huggingface.co:443", 400),
        ("evil.org#.huggingface.co:443", 400),
        ("evil.org?.huggingface.co:443", 400),
        ("evil.org%00.huggingface.co:443", 400),
        ("evil.org\0.huggingface.co:443", 400),
        ("h\u00fcggingface.co:443", 400),
        ("xn--huggingfce-66a.co:443", 403),
        ("hugg\u00adingface.co:443", 400),
        ("*.huggingface.co:443", 400),
        (f"{'a' * 64}.huggingface.co:443", 400),
        (".".join(["a" * 60] * 5) + ".huggingface.co:443", 400),
    ],
)
def test_another_name_or_port_is_refused_however_it_is_written(asked_for, status):
    found = asked(f"CONNECT {asked_for} HTTP/1.1")
    assert (found.status if isinstance(found, Refused) else 200) == status


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1", 405),
        ("GET http://huggingface.co/ HTTP/1.1", 405),
        ("POST https://huggingface.co/api HTTP/1.1", 405),
        ("connect huggingface.co:443 HTTP/1.1", 400),
        ("CONNECT huggingface.co:443 HTTP/2", 400),
        ("CONNECT huggingface.co:443", 400),
        ("CONNECT  huggingface.co:443 HTTP/1.1", 400),
        ("CONNECT evil.org:443 huggingface.co:443 HTTP/1.1", 400),
        ("CONNECT huggingface.co:443 HTTP/1.1\r\n folded: line", 400),
        ("CONNECT huggingface.co:443 HTTP/1.1\r\nno colon", 400),
        ("CONNECT huggingface.co:443 HTTP/1.1\r\nName : value", 400),
        ("CONNECT huggingface.co:443 HTTP/1.1\r\nA: b\nC: d", 400),
        ("", 400),
        ("\x16\x03\x01", 400),
    ],
)
def test_what_is_no_clean_request_for_a_tunnel_is_refused(head, status):
    found = asked(head)
    assert isinstance(found, Refused) and found.status == status


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason_and_break_nothing(data):
    found = target_of(data, HUB)
    assert isinstance(found, Refused) and found.why
    assert named_in(data) is None or isinstance(named_in(data), Refused)


@pytest.mark.parametrize("address", ["3.165.1.1", "2600:9000:2000::1", "64:ff9b::3.165.1.1"])
def test_addresses_of_the_open_internet_may_be_connected_to(address):
    assert may_connect(address, HUB)


@pytest.mark.parametrize(
    "address",
    """127.0.0.1 127.9.9.9 0.0.0.0 10.0.0.1 172.16.5.5 192.168.1.1 169.254.169.254 100.64.0.1 192.0.2.1 198.18.0.1
    198.51.100.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12::1 ff02::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 2002:7f00:1:: 2002:a00:1:: 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1
    ::127.0.0.1 64:ff9b:1::127.0.0.1 4000::1 2001:db8::1 2001:0:0:0:0:0:80ff:fffe""".split(),  # noqa: SIM905
)
def test_addresses_of_this_machine_and_of_private_networks_may_not(address):
    assert not may_connect(address, HUB)
    assert may_connect(address, Allowed(private=True))


def test_the_first_message_of_tls_names_its_server():
    whole = hello("cdn-lfs.HF.co")
    assert named_in(whole) == named_in(whole + b"more") == "cdn-lfs.hf.co"
    assert all(named_in(whole[:length]) is None for length in range(len(whole)))


def test_a_first_message_without_a_name_or_with_a_hidden_one_is_refused():
    assert isinstance(named_in(hello(None)), Refused)
    whole = hello("huggingface.co")
    hidden = whole.replace(b"\x00\x17\x00\x00", b"\xfe\x0d\x00\x00")  # one extension becomes another
    assert hidden != whole
    found = named_in(hidden)
    assert isinstance(found, Refused) and "hides" in found.why


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x02\x00", b"\x17\x03\x03\x00\x01a"]
)
def test_what_is_not_tls_is_refused(data):
    assert isinstance(named_in(data), Refused)


@given(st.data())
def test_a_damaged_first_message_breaks_nothing(data):
    whole = bytearray(hello("huggingface.co"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(5, len(whole) - 1))] = data.draw(st.integers(0, 255))
    named_in(bytes(whole))
