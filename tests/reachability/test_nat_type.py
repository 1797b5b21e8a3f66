"""How a NAT maps and filters: what servers saw in, the words of RFC 4787 out."""

from ipaddress import IPv4Address

import pytest

from portmap.reachability.nat_type import Behaviour, Filtered, Mappings, nat_type
from portmap.wire.stun.message import Endpoint


def at(port: int, address: str = "11.22.33.1") -> Endpoint:
    return IPv4Address(address), port


LOCAL = at(5000, "192.168.1.2")
NOTHING = Filtered()


@pytest.mark.parametrize(
    ("seen", "mapping"),
    [
        (Mappings(LOCAL, at(1)), Behaviour.UNKNOWN),
        (Mappings(LOCAL, at(1), second=at(1)), Behaviour.ENDPOINT_INDEPENDENT),
        (Mappings(LOCAL, at(1), second=at(2)), Behaviour.DEPENDENT),
        (Mappings(LOCAL, at(1), second=at(1, "11.22.33.2")), Behaviour.DEPENDENT),
        (Mappings(LOCAL, at(1), None, at(1), at(1)), Behaviour.ENDPOINT_INDEPENDENT),
        (Mappings(LOCAL, at(1), None, at(2), at(2)), Behaviour.ADDRESS_DEPENDENT),
        (Mappings(LOCAL, at(1), None, at(2), at(3)), Behaviour.ADDRESS_AND_PORT_DEPENDENT),
        (Mappings(LOCAL, at(1), None, at(2), None), Behaviour.DEPENDENT),
        (Mappings(LOCAL, at(1), at(2), at(1), at(1)), Behaviour.ENDPOINT_INDEPENDENT),  # RFC 5780 says more
    ],
)
def test_a_mapping_is_named_by_what_it_depends_on(seen: Mappings, mapping: Behaviour) -> None:
    assert nat_type(seen, NOTHING).mapping is mapping


@pytest.mark.parametrize(
    ("filtered", "behaviour"),
    [
        (Filtered(), Behaviour.UNKNOWN),
        (Filtered(from_other_address=True, from_other_port=True), Behaviour.ENDPOINT_INDEPENDENT),
        (Filtered(from_other_address=False, from_other_port=True), Behaviour.ADDRESS_DEPENDENT),
        (Filtered(from_other_address=False, from_other_port=False), Behaviour.ADDRESS_AND_PORT_DEPENDENT),
    ],
)
def test_a_filter_is_named_by_what_it_depends_on(filtered: Filtered, behaviour: Behaviour) -> None:
    assert nat_type(Mappings(LOCAL, at(1)), filtered).filtering is behaviour


def test_without_translation_no_nat_is_on_the_way() -> None:
    found = nat_type(Mappings(at(1), at(1), at(1)), NOTHING)
    assert not found.translated
    assert "no NAT" in found.meaning


@pytest.mark.parametrize(
    ("second", "filtered", "words"),
    [
        (at(1), Filtered(from_other_address=True, from_other_port=True), "full cone"),
        (at(1), Filtered(from_other_address=False, from_other_port=False), "at the same time"),
        (at(2), NOTHING, "symmetric"),
        (None, NOTHING, "too few answers"),
    ],
)
def test_the_meaning_for_hole_punching_is_told(second: Endpoint | None, filtered: Filtered, words: str) -> None:
    assert words in nat_type(Mappings(LOCAL, at(1), second), filtered).meaning
