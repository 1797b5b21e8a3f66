"""Which port a torrent client is given."""

from dataclasses import replace

import pytest

from portmap.endpoints import Endpoints, OpenPort
from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap_torrent.port_choice import choose_port

FOLLOWED = OpenPort(Protocol.TCP, 1, 43210, follow=True)
TCP = OpenPort(Protocol.TCP, 6881, 6881)
UDP = OpenPort(Protocol.UDP, 53, 53)
NAMED = OpenPort(Protocol.TCP, 7000, 7000, name="bt")
HOLE = OpenPort(Protocol.TCP, 80, 80, pinhole=True)


def choice(*ports: OpenPort, name: str = "") -> int | None:
    return choose_port(Endpoints(ports), name)


def test_a_port_to_follow_comes_before_all_others() -> None:
    assert choice(UDP, TCP, FOLLOWED) == 43210


def test_else_it_is_the_first_for_tcp() -> None:
    assert choice(UDP, TCP, NAMED) == 6881


def test_udp_alone_is_better_than_nothing() -> None:
    assert choice(UDP) == 53


def test_with_a_name_it_is_that_mapping_or_none() -> None:
    assert choice(FOLLOWED, TCP, NAMED, name="bt") == 7000
    assert choice(FOLLOWED, TCP, name="bt") is None


def test_without_a_mapping_there_is_none() -> None:
    assert choice() is None
    assert choice(HOLE) is None


def test_a_port_at_which_no_client_could_be_reached_is_an_error() -> None:
    with pytest.raises(PortmapError, match="the gateway opened port 9 for TCP 6881, and a torrent client"):
        choice(replace(TCP, external_port=9))


def test_a_mapping_to_another_host_counts_by_its_name_only() -> None:
    nas = replace(NAMED, host="nas.lan")
    assert choice(nas) is None
    assert choice(nas, TCP) == 6881
    assert choice(nas, TCP, name="bt") == 7000
