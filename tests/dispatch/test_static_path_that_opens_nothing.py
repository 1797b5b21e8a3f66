"""The path of Kind.STATIC with a backend that only learns the address: every port fails, none is open."""

from math import inf
from typing import ClassVar

from tests.dispatch.observers import DNS, WEB
from tests.dispatch.static_backends import Scripted, play_static

from portmap.errors import NoGateway
from portmap.hookspecs import hookimpl


class OnlyLearns(Scripted):
    """As STUN: it learns the address, and opens nothing."""

    opens_ports: ClassVar[bool] = False

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return ("a.example says so",)


def test_a_backend_that_only_learns_the_address_fails_every_port_once_and_opens_none() -> None:
    told = play_static(OnlyLearns().refuse(0, inf, "it only learns the address"), WEB, DNS, end=300)
    assert told.names() == ["external_ip.changed", *["mapping.failed"] * 2]
    assert {event.to_dict()["reason"] for _, event in told.of("mapping.failed")} == {"it only learns the address"}


def test_a_port_granted_by_a_backend_that_only_learns_the_address_is_not_open() -> None:
    told = play_static(OnlyLearns(), WEB, end=300)
    assert told.names() == ["external_ip.changed", "mapping.failed"]
    assert "opens no port" in str(told.events[1][1].to_dict()["reason"])


def test_a_learnt_address_enters_the_record_as_a_gateways_does_without_ports() -> None:
    (record,) = play_static(OnlyLearns(), WEB, end=1).records
    assert (str(record.ip), record.tcp) == ("1.2.3.4", None)


def test_a_learnt_address_that_is_not_public_stays_out_of_the_record_and_is_told_with_its_meaning() -> None:
    told = play_static(OnlyLearns().moves(0, "100.64.1.2"), end=1)
    said = told.events[0][1].to_dict()
    assert (said["scope"], told.records) == ("cgnat", [])
    assert "a.example says so; double NAT" in str(said["reason"])


def test_where_no_address_is_learnt_the_ports_are_said_to_be_shut_all_the_same() -> None:
    backend = OnlyLearns().fails(0, 100, lambda: NoGateway("no answer"), "external_ip")
    assert play_static(backend, WEB, end=50).names() == ["external_ip.failed", "mapping.failed"]
