"""The loop on scripted time: alerts that come before all has been asked for once."""

from tests.loop.scripted_loop import WEB, calls, play, wanted

from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert
from portmap.model import Address
from portmap.testing.scripted import ScriptedBackend


def test_what_a_gateway_announces_while_it_is_being_found_keeps_no_restart_right_after_it_waiting() -> None:
    class Announced(ScriptedBackend):
        @hookimpl
        def external_ip(self) -> Address:
            if not self.calls:
                self.alert("it announced itself")
            return super().external_ip()

    backend = Announced()
    play(backend, [*wanted(WEB), (0.3, GatewayAlert("rebooted"))], end=2)
    assert (calls(backend), calls(backend, "external_ip")) == ([0, 0.3], [0, 0.3])


def test_what_a_gateway_announces_before_it_is_asked_keeps_no_restart_right_after_it_waiting() -> None:
    backend = ScriptedBackend()
    play(backend, [(0, GatewayAlert("it announced itself")), *wanted(WEB), (0.3, GatewayAlert("rebooted"))], end=2)
    assert calls(backend) == [0, 0.3]


def test_an_alert_without_ports_to_map_has_the_address_looked_at() -> None:
    backend = ScriptedBackend()
    play(backend, [(10, GatewayAlert("link up"))], end=11)
    assert calls(backend, "external_ip") == [0, 10]
