"""Ring 1: the error tree, and how an error is named in an event."""

from ipaddress import IPv4Address

import pytest

from portmap import errors
from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NATError,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    NotYet,
    OnlyPermanentLeases,
    OutOfResources,
    PluginError,
    PortmapError,
    Refused,
    SpecError,
    UnverifiedGateway,
)


@pytest.mark.parametrize("kind", [NoGateway, GatewayTimeout, Garbled, Refused])
def test_what_a_gateway_does_wrong_is_a_nat_error(kind: type[NATError]) -> None:
    assert issubclass(kind, NATError)


@pytest.mark.parametrize(
    "kind", [Conflict, NotYet, OnlyPermanentLeases, NotAuthorized, OutOfResources, NoPublicAddress]
)
def test_every_no_is_a_refusal(kind: type[Refused]) -> None:
    assert issubclass(kind, Refused)


@pytest.mark.parametrize("kind", [SpecError, PluginError])
def test_what_is_not_the_networks_fault_is_no_nat_error(kind: type[PortmapError]) -> None:
    assert not issubclass(kind, NATError)


def test_a_refusal_keeps_the_protocols_own_number_and_words() -> None:
    error = Refused("the gateway refused", code=718, text="ConflictInMappingEntry")
    assert (str(error), error.code, error.text) == ("the gateway refused", 718, "ConflictInMappingEntry")


def test_a_gateway_without_a_public_address_may_have_told_its_own() -> None:
    error = NoPublicAddress("double NAT", code=8, external_ip=IPv4Address("100.64.1.1"))
    assert (error.code, error.external_ip, NoPublicAddress("double NAT").external_ip) == (
        8,
        IPv4Address("100.64.1.1"),
        None,
    )


def test_the_address_of_an_unverified_gateway_counts_as_not_known_yet() -> None:
    assert issubclass(UnverifiedGateway, NotYet)


def test_only_silence_is_silence() -> None:
    assert set(errors.SILENCE) == {NoGateway, GatewayTimeout}


def test_an_error_is_named_by_its_class() -> None:
    assert errors.error_name(Conflict("taken")) == "Conflict"


def test_a_plugins_own_error_is_named_by_the_nearest_class_that_everybody_knows() -> None:
    class VendorSaysNo(OutOfResources):
        pass

    assert errors.error_name(VendorSaysNo("full")) == "OutOfResources"


def test_no_error_has_no_name() -> None:
    assert errors.error_name(None) == ""
