"""Ring 1: what holds, as far as the events say."""

from ipaddress import IPv4Address

import pytest

from portmap.errors import Conflict, NATError, NoGateway
from portmap.events import (
    ExternalIPChanged,
    GatewayFound,
    GatewayLost,
    PortAdded,
    PortChanged,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.model import Key, Mapping, Protocol, Scope
from portmap.session.state import SessionState

PUBLIC = IPv4Address("1.2.3.4")
WEB = Key(Protocol.TCP, 8080)
OPEN = Mapping(Protocol.TCP, 8080, 80, 600, PUBLIC, "web")
FAILED = PortFailed(protocol=Protocol.TCP, internal_port=8080, reason="taken", error="Conflict")
LOST = GatewayLost(gateway="g", reason="no answer", error="NoGateway")


@pytest.fixture
def ledger() -> SessionState:
    return SessionState()


@pytest.mark.parametrize("kind", [PortAdded, PortChanged, PortRenewed])
def test_an_open_port_is_told_back_as_it_was_announced(ledger: SessionState, kind: type[PortAdded]) -> None:
    ledger.apply(kind.of(OPEN))
    assert ledger.mappings == {WEB: OPEN}


@pytest.mark.parametrize("kind", [PortLost, PortRemoved])
def test_a_shut_port_is_gone(ledger: SessionState, kind: type[PortLost]) -> None:
    ledger.apply(PortAdded.of(OPEN))
    ledger.apply(kind.of(OPEN))
    assert not ledger.mappings


def test_a_failure_shuts_nothing(ledger: SessionState) -> None:
    ledger.apply(PortAdded.of(OPEN))
    ledger.apply(FAILED)
    assert WEB in ledger.mappings


def test_a_failure_is_told_as_the_error_that_it_was(ledger: SessionState) -> None:
    ledger.apply(FAILED)
    error = ledger.why_missing([WEB])
    assert (type(error), str(error)) == (Conflict, "taken")


@pytest.mark.parametrize("name", ["", "NoSuchError"])
def test_an_error_of_no_known_name_is_the_networks(ledger: SessionState, name: str) -> None:
    ledger.apply(PortFailed(protocol=Protocol.TCP, internal_port=8080, reason="odd", error=name))
    assert type(ledger.why_missing([WEB])) is NATError


def test_a_grant_ends_a_failure(ledger: SessionState) -> None:
    ledger.apply(FAILED)
    ledger.apply(PortAdded.of(OPEN))
    assert ledger.why_missing([WEB]) is None


def test_a_missing_ports_own_failure_says_more_than_a_lost_gateway(ledger: SessionState) -> None:
    ledger.apply(LOST)
    ledger.apply(FAILED)
    assert isinstance(ledger.why_missing([Key(Protocol.UDP, 1), WEB]), Conflict)


def test_a_lost_gateway_explains_every_missing_port(ledger: SessionState) -> None:
    ledger.apply(LOST)
    assert isinstance(ledger.why_missing([WEB]), NoGateway)


def test_a_gateway_that_is_back_explains_nothing(ledger: SessionState) -> None:
    ledger.apply(LOST)
    ledger.apply(GatewayFound(gateway="g"))
    assert ledger.why_missing([WEB]) is None


def test_a_failure_of_a_removed_port_is_forgotten(ledger: SessionState) -> None:
    ledger.apply(FAILED)
    ledger.forget_failure(WEB)
    assert ledger.why_missing([WEB]) is None


def test_the_address_is_the_last_stated_of_whatever_scope(ledger: SessionState) -> None:
    ledger.apply(ExternalIPChanged(external_ip=IPv4Address("10.0.0.1"), scope=Scope.PRIVATE))
    assert ledger.external_ip == IPv4Address("10.0.0.1")
