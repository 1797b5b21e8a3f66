"""Contract suites: one subclass proves that a plugin keeps the promises of `portmap.hookspecs`.

    class TestAcme(BackendContract):
        plugin = Acme

        @pytest.fixture
        def gateway(self) -> Iterator[Gateway]:          # what it speaks to in a test; see `Gateway`
            with AcmeRouter() as router:
                yield AcmeUnderTest(router)

        def make(self, gateway: AcmeUnderTest) -> Acme:  # without this: Acme.from_argument(self.argument)
            return Acme(gateway.port)

    class TestMonitor(PublisherContract):
        plugin = Monitor

Then run pytest. What cannot be proved, because the gateway under test offers no way to, is skipped and says why.
A backend that speaks NAT-PMP or UPnP needs no gateway of its own: `RouterGateway` is the simulated router.
"""

from portmap.testing.contract.backend import BackendContract
from portmap.testing.contract.gateway import Gateway, RouterGateway
from portmap.testing.contract.publisher import PublisherContract

__all__ = ["BackendContract", "Gateway", "PublisherContract", "RouterGateway"]
