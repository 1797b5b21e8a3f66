"""The ARGUMENT of `stun:ARGUMENT`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import SpecError
from portmap.wire.stun.servers import parse_servers
from portmap_stun import Server, Stun
from portmap_stun.backend import DEFAULT_SERVERS


@pytest.mark.parametrize(
    ("argument", "servers"),
    [
        ("1.2.3.4", [Server("1.2.3.4", 3478)]),
        ("1.2.3.4:19302", [Server("1.2.3.4", 19302)]),
        ("stun.example.org", [Server("stun.example.org", 3478)]),
        ("stun.example.org:443", [Server("stun.example.org", 443)]),
        ("localhost:3478", [Server("localhost", 3478)]),
        ("[::1]", [Server("::1", 3478)]),
        ("[2001:db8::1]:19302", [Server("2001:db8::1", 19302)]),
        ("[fe80::1%eth0]", [Server("fe80::1%eth0", 3478)]),
        ("a.example:1+[::1]:2+b.example", [Server("a.example", 1), Server("::1", 2), Server("b.example", 3478)]),
        ("a.example+a.example:3478", [Server("a.example", 3478)]),
    ],
)
def test_servers_are_read_each_once(argument: str, servers: list[Server]) -> None:
    assert parse_servers(argument) == tuple(servers)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("::1", "too many colons: write an IPv6 address in brackets"),
        ("::1:3478", "too many colons"),
        ("[::1", "no IPv6 address in brackets"),
        ("[::1]3478", "no IPv6 address in brackets"),
        ("[1.2.3.4]:3478", "no IPv6 address in brackets"),
        ("[]:3478", "no IPv6 address in brackets"),
        (":3478", "the server's name is missing"),
        ("a.example+", "the server's name is missing"),
        ("+", "the server's name is missing"),
        ("a.example,b.example", "no server's name"),
        ("a b", "no server's name"),
        ("a_b.example", "no server's name"),
        ("1.2.3", "no server's name"),
        ("1.2.3.04", "no server's name"),
        ("0x7f000001", "no server's name"),
        ("16909060", "no server's name"),
        ("h\u00f6me.example", "no server's name"),
        ("0.0.0.0", "is no server's address"),  # noqa: S104  # nothing is bound
        ("[::ffff:224.0.0.1]", "is no server's address"),
        ("224.0.0.1", "is no server's address"),
        ("255.255.255.255", "is no server's address"),
        ("[::]", "is no server's address"),
        ("[ff02::1]:3478", "is no server's address"),
        ("1.2.3.4:0", "a port that is not valid"),
        ("1.2.3.4:", "a port that is not valid"),
        ("1.2.3.4:65536", "a port that is not valid"),
        ("1.2.3.4:-1", "a port that is not valid"),
        ("1.2.3.4:\u0661", "a port that is not valid"),
        ("1.2.3.4:" + "9" * 5000, "a port that is not valid"),
        ("+".join(f"s{number}.example" for number in range(9)), "9 servers are more than it takes"),
    ],
)
def test_what_is_no_server_is_refused_with_the_reason(argument: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_servers(argument)
    assert words in str(caught.value)


@pytest.mark.parametrize("argument", [None, ""])
def test_without_a_server_the_well_known_ones_are_asked(argument: str | None) -> None:
    assert str(Stun.from_argument(argument)) == str(Stun(DEFAULT_SERVERS)) == "STUN"


def test_it_is_named_after_the_servers_that_the_user_chose() -> None:
    assert str(Stun.from_argument("a.example+[::1]:1")) == "STUN a.example:3478+[::1]:1"


@given(st.text(alphabet="ab.1:[]+-%0\u0661 "))
def test_any_text_is_servers_or_a_spec_error(text: str) -> None:
    try:
        servers = parse_servers(text)
    except SpecError as error:
        assert str(error)  # noqa: PT017  # either outcome is right
    else:
        assert parse_servers("+".join(map(str, servers))) == servers
