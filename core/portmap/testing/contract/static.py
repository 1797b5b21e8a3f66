"""What a backend of kind STATIC promises: it knows its address, takes ports on trust, and sends nothing."""

# ruff: noqa: D102  # a test's name is its docstring

import pytest

from portmap.testing.contract.backend_under_test import INTERNAL, SUGGESTED, BackendUnderTest
from portmap.testing.contract.checks import require
from portmap.testing.contract.network_audit import network_calls_of
from portmap.testing.contract.plugin import PluginContract

TIMEOUT = 2.0  # seconds for a call that does no I/O


class StaticPromises(PluginContract):
    """Say what follows the colon in `argument`."""

    @pytest.fixture
    def static(self) -> BackendUnderTest:
        """The backend, made in this thread; every call is made in another."""
        return BackendUnderTest(self.plugin.from_argument(self.argument), TIMEOUT)

    def test_it_knows_the_external_address(self, static: BackendUnderTest) -> None:
        static.external_ip()

    def test_it_grants_the_suggested_port(self, static: BackendUnderTest) -> None:
        granted = static.add().external_port
        require(granted == SUGGESTED, f"{SUGGESTED} was suggested, {granted} granted")

    def test_without_a_suggested_port_it_grants_the_internal_port(self, static: BackendUnderTest) -> None:
        granted = static.add(external_port=0).external_port
        require(
            granted == INTERNAL, f"without a suggested port {granted} was granted, not the internal port {INTERNAL}"
        )

    def test_it_deletes_without_a_murmur(self, static: BackendUnderTest) -> None:
        static.delete()
        static.delete()

    def test_it_sends_nothing(self, static: BackendUnderTest) -> None:
        def use() -> None:
            static.external_ip()
            static.add()
            static.delete()

        calls = network_calls_of(use)
        require(not calls, f"a static backend sends nothing, but this one asks the network: {calls}")
