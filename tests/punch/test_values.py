"""The argument of `punch:`, what servers agree on, and the rules for nft: values in, values out."""

from ipaddress import IPv4Address

import pytest

from portmap.errors import GatewayTimeout, Refused, SpecError
from portmap.model import Protocol
from portmap.wire.stun.servers import Server
from portmap_punch.argument import Forward, parse_argument
from portmap_punch.endpoint import agreed_endpoint
from portmap_punch.redirect import Redirect

A, B = (IPv4Address("11.22.33.1"), 5000), (IPv4Address("11.22.33.1"), 5001)


@pytest.mark.parametrize(
    ("text", "servers", "forward"),
    [
        ("a.example", (Server("a.example"),), Forward.RELAY),
        ("a.example:19302+b.example", (Server("a.example", 19302), Server("b.example")), Forward.RELAY),
        ("a.example+b.example?forward=nft", (Server("a.example"), Server("b.example")), Forward.NFT),
        ("a.example?forward=relay", (Server("a.example"),), Forward.RELAY),
    ],
)
def test_an_argument_is_read(text: str, servers: tuple[Server, ...], forward: Forward) -> None:
    argument = parse_argument(text)
    assert (argument.servers, argument.forward) == (servers, forward)
    assert parse_argument(str(argument)) == argument


@pytest.mark.parametrize(
    "text", [None, "", "?forward=nft", "a.example?", "a.example?forward", "a.example?forward=x", "a b", "a+"]
)
def test_an_argument_without_sense_is_refused(text: str | None) -> None:
    with pytest.raises(SpecError):
        parse_argument(text)


@pytest.mark.parametrize("seen", [[A, A], [A, A, A], [A, None, A], [None, A, A]])
def test_two_answers_that_agree_are_the_endpoint(seen: list[tuple[IPv4Address, int] | None]) -> None:
    assert agreed_endpoint(Protocol.UDP, seen) == A


@pytest.mark.parametrize("seen", [[A, B], [A, A, B], [A, None, B]])
def test_answers_that_differ_are_refused_with_the_reason(seen: list[tuple[IPv4Address, int] | None]) -> None:
    with pytest.raises(Refused, match=r"maps each destination to another port .*11\.22\.33\.1:5000"):
        agreed_endpoint(Protocol.UDP, seen)


def test_one_answer_alone_proves_nothing() -> None:
    with pytest.raises(GatewayTimeout, match="name a second server"):
        agreed_endpoint(Protocol.TCP, [A, None])


@pytest.mark.parametrize("seen", [[A, None], [None, A]])
def test_one_answer_alone_confirms_what_several_agreed_on_before(seen: list[tuple[IPv4Address, int] | None]) -> None:
    assert agreed_endpoint(Protocol.TCP, seen, A) == A


def test_one_answer_alone_that_differs_from_what_was_known_proves_nothing() -> None:
    with pytest.raises(GatewayTimeout, match="name a second server"):
        agreed_endpoint(Protocol.TCP, [B, None], A)


def test_no_answer_is_a_timeout() -> None:
    with pytest.raises(GatewayTimeout, match="no STUN server answers over TCP"):
        agreed_endpoint(Protocol.TCP, [None, None])


def test_a_redirect_names_protocol_and_both_ports() -> None:
    redirect = Redirect()
    redirect._rules[Protocol.UDP, 25565] = 41000
    assert f"add rule inet {redirect.table} redirect_in udp dport 41000 redirect to :25565\n" in redirect.rules()
