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

        @pytest.fixture
        def target(self) -> Iterator[Target]:            # where its words arrive in a test; see `Target`
            with MonitorServer() as server:
                yield MonitorUnderTest(server)

        def make(self, target: MonitorUnderTest) -> Monitor:
            return Monitor.from_argument(target.url)

Then run pytest. What cannot be proved, because the gateway or target under test offers no way to, is skipped and says
why.
A backend that speaks NAT-PMP or UPnP needs no gateway of its own: `RouterGateway` is the simulated router.

backend             BackendContract
backend_under_test  the backend behind Nat, faults as test failures
checks              require() and in_time()
gateway             Gateway: what a suite can do to the gateway under test
hostile_input       arguments and names that users may write
loop                promises of Kind.LOOP
network_audit       whether anything was sent (audit events)
plugin              what every plugin promises
publisher           PublisherContract
samples             events, records and states to show to a publisher
static              promises of Kind.STATIC
target              Target: what a suite can do to a publisher's target
"""

from portmap.testing.contract.backend import BackendContract
from portmap.testing.contract.gateway import Gateway, RouterGateway
from portmap.testing.contract.publisher import PublisherContract
from portmap.testing.contract.target import Target

__all__ = ["BackendContract", "Gateway", "PublisherContract", "RouterGateway", "Target"]
