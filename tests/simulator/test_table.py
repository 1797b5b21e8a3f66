"""The mapping table: leases on an argument, one owner a port."""

import math

from portmap.model import Protocol
from portmap.simulator.mapping_table import Entry, MappingTable, ports_from


def entry(external_port: int = 80, *, internal_port: int = 8080, expires: float = 60.0) -> Entry:
    return Entry(Protocol.TCP, external_port, "127.0.0.1", internal_port, 60, expires=expires)


def table(*entries: Entry) -> MappingTable:
    made = MappingTable()
    for each in entries:
        made.put(each)
    return made


def test_a_mapping_holds_until_its_lease_ends() -> None:
    assert table(entry(expires=60)).alive(59.9) == (entry(),)


def test_a_mapping_is_gone_at_the_very_end_of_its_lease() -> None:
    assert table(entry(expires=60)).alive(60.0) == ()


def test_a_permanent_mapping_never_ends() -> None:
    assert table(entry(expires=math.inf)).alive(1e12)


def test_an_expired_mapping_is_not_found_by_its_external_port() -> None:
    assert table(entry(80, expires=60)).at(Protocol.TCP, 80, now=61) is None


def test_a_mapping_is_found_by_its_client() -> None:
    assert table(entry(80), entry(81, internal_port=9)).held_by("127.0.0.1", Protocol.TCP, 9, now=0) == entry(
        81, internal_port=9
    )


def test_the_other_protocol_is_another_port() -> None:
    assert table(entry(80)).at(Protocol.UDP, 80, now=0) is None


def test_a_new_mapping_takes_the_place_of_the_old_one() -> None:
    assert table(entry(80, internal_port=1), entry(80, internal_port=2)).alive(0) == (entry(80, internal_port=2),)


def test_removing_what_is_not_there_is_harmless() -> None:
    table().remove(entry())


def test_the_next_expiry_is_the_earliest() -> None:
    assert table(entry(80, expires=60), entry(81, expires=30)).next_expiry() == 30


def test_without_leases_nothing_ever_expires() -> None:
    assert table(entry(expires=math.inf)).next_expiry() == math.inf


def test_the_seconds_that_remain_are_rounded_up() -> None:
    assert entry(expires=60).remaining(now=58.5) == 2


def test_a_permanent_mapping_has_zero_seconds_left() -> None:
    assert entry(expires=math.inf).remaining(now=0) == 0


def test_the_search_for_a_port_goes_round_and_tries_each_once() -> None:
    ports = list(ports_from(65534))
    assert ports[:3] == [65534, 65535, 1024]
    assert len(ports) == len(set(ports)) == 65535 - 1024 + 1
