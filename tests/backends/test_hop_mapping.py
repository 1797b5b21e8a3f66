"""The token of a chain: all hops of a mapping as text, and back; whatever else a file holds is no token."""

import json
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.backends.answers import LONGEST
from portmap.backends.chain.hop_mapping import HopMapping, from_token, to_token

PORTS = st.integers(0, 65535)
CLIENTS = st.none() | st.builds(IPv4Address, st.integers(0, 2**32 - 1)) | st.builds(IPv6Address, st.integers(0, 9))
HOPS = st.lists(st.builds(HopMapping, CLIENTS, PORTS, PORTS, st.text(max_size=20)), min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(HOPS)
def test_what_was_written_is_read(hops: list[HopMapping]) -> None:
    assert from_token(to_token(hops), 4) == tuple(hops)


@given(st.text() | JSON.map(json.dumps))
def test_nothing_that_a_file_may_hold_raises(text: str) -> None:
    assert len(from_token(text, 3)) <= 3


def test_the_token_of_a_longer_chain_is_none_of_ours() -> None:
    hop = HopMapping(None, 80, 80)
    assert from_token(to_token([hop] * 3), 2) == ()


@pytest.mark.parametrize("client", ["x", "1.2.3", 7, None, True])
def test_a_client_that_is_no_address_makes_it_no_token(client: object) -> None:
    assert from_token(json.dumps([[client, 80, 80, ""]]), 2) == ()


def test_four_gateways_with_pcps_nonces_fit_into_a_token() -> None:
    hops = [HopMapping(IPv4Address("192.168.100.100"), 65535, 65535, "pcp " + "f" * 24)] * 4
    assert len(to_token(hops)) < LONGEST


@pytest.mark.parametrize("port", [True, -1, 65536, "80", 80.0, None])
def test_a_port_that_is_none_makes_it_no_token(port: object) -> None:
    assert from_token(json.dumps([["", port, 80, ""]]), 2) == ()
    assert from_token(json.dumps([["", 80, port, ""]]), 2) == ()
