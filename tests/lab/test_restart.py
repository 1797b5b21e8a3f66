"""The router's daemon restarts and has forgotten every mapping: how soon bytes arrive again.

With `system_uptime=yes`, which Debian and OpenWrt ship, its epoch goes on counting; with `no` the epoch begins again.
The lease and the time between checks are the defaults, 10 minutes and a minute, where no test says otherwise: a
recovery within a second is that of a signal.
"""

import time
from collections.abc import Iterator

import pytest
from tests.lab import faults
from tests.lab.command import Portmap
from tests.lab.lab import GIVEN_UP, Lab
from tests.lab.slowdown import Slowdown

SPECS = ("pmp", "pcp", "upnp", "any")
BOTH = ("TCP", "UDP")
SIGNAL = 1.0  # seconds that an announced restart costs
SETTLED = 2.5  # seconds after which events are subscribed to, and a reset of the epoch shows (RFC 6886 §3.6)
CHECK = 2  # seconds between two checks, where a restart is not announced


@pytest.fixture(params=["nftables", "iptables"])
def build(request: pytest.FixtureRequest) -> str:
    if request.param == "iptables":
        request.getfixturevalue("iptables_build")
    return str(request.param)


@pytest.fixture(params=["yes", "no"], ids=["epoch_goes_on", "epoch_begins_again"])
def uptime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def restarting(laboratory: None, build: str, uptime: str) -> Iterator[Lab]:
    """A lab with a daemon of this build and this epoch."""
    with Lab(build="iptables" if build == "iptables" else "nftables") as lab:
        lab.router.start_miniupnpd(system_uptime=uptime)
        lab.serve(4001)
        yield lab
        print(lab.router.log)  # pytest shows it with a failure only


def hold(lab: Lab, spec: str, *more: str) -> Portmap:
    portmap = Portmap(lab.lan, "--nat", spec, *more, "4001/both")
    for protocol in BOTH:
        portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
    return portmap


@pytest.mark.parametrize("spec", SPECS)
def test_an_announced_restart_costs_a_second(restarting: Lab, uptime: str, control: Slowdown, spec: str) -> None:
    with hold(restarting, spec) as portmap:
        begun = time.monotonic()
        faults.restart(restarting, system_uptime=uptime)
        took = restarting.seconds_until_bytes_arrive(portmap)
        control.judge("bytes through both mappings", took, SIGNAL, begun)


@pytest.mark.parametrize("spec", SPECS)
def test_a_restart_without_announcements_is_found_by_the_checks(
    restarting: Lab, uptime: str, control: Slowdown, spec: str
) -> None:
    # An epoch that goes on says nothing: one of two checks asks for a mapping instead of the address.
    checks = 2 if uptime == "yes" else 1
    with hold(restarting, spec, "--ip-interval", f"{CHECK}s") as portmap:
        time.sleep(3)  # some checks have been made
        begun = time.monotonic()
        faults.restart_unheard(restarting, system_uptime=uptime)
        took = restarting.seconds_until_bytes_arrive(portmap)
        control.judge("bytes through both mappings", took, checks * CHECK + 1, begun)


@pytest.mark.parametrize("spec", SPECS)
def test_a_new_outer_address_is_told_within_a_second(restarting: Lab, control: Slowdown, spec: str) -> None:
    with hold(restarting, spec) as portmap:
        time.sleep(SETTLED)
        begun = time.monotonic()
        faults.new_outer_address(restarting)
        portmap.wait_for("external_ip.changed", external_ip=faults.NEW_WAN, timeout=GIVEN_UP)
        for protocol in BOTH:
            portmap.wait_for("mapping.changed", protocol=protocol, external_ip=faults.NEW_WAN, timeout=GIVEN_UP)
        control.judge("the new address", time.monotonic() - begun, SIGNAL, begun)
        restarting.seconds_until_bytes_arrive(portmap)


@pytest.mark.parametrize("spec", ["upnp", "any"])
def test_a_new_outer_address_right_after_a_mapping_is_told_within_a_second(
    restarting: Lab, control: Slowdown, spec: str
) -> None:
    # It may change before the subscription; then only the first event tells of it.
    with hold(restarting, spec) as portmap:
        begun = time.monotonic()
        faults.new_outer_address(restarting)
        portmap.wait_for("external_ip.changed", external_ip=faults.NEW_WAN, timeout=GIVEN_UP)
        control.judge("the new address", time.monotonic() - begun, SIGNAL, begun)


# Pinholes, on routers with one and with two link-local addresses: announcements come from either.


@pytest.fixture(params=[True, False], ids=["one_link_local", "two_link_locals"])
def restarting6(laboratory: None, uptime: str, request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(ipv6=True, one_link_local=request.param) as lab:
        lab.router.start_miniupnpd(system_uptime=uptime)
        lab.serve(4001)
        yield lab
        print(lab.router.log)


def hold_pinholes(lab: Lab, spec: str, *more: str) -> Portmap:
    portmap = Portmap(lab.lan, "--nat", spec, *more, "4001/both")
    for protocol in BOTH:
        portmap.wait_for("pinhole.added", protocol=protocol)
    return portmap


@pytest.mark.parametrize(
    ("spec", "families"),
    [("pcp", ()), ("pcp", ("-6",)), ("upnp", ()), ("upnp", ("-6",)), ("any", ()), ("any", ("-6",))],
)
def test_an_announced_restart_costs_a_second_for_pinholes(
    restarting6: Lab, uptime: str, control: Slowdown, spec: str, families: tuple[str, ...]
) -> None:
    with hold_pinholes(restarting6, spec, *families):
        begun = time.monotonic()
        faults.restart(restarting6, system_uptime=uptime)
        took = restarting6.seconds_until_bytes_arrive_by_ipv6(4001)
        control.judge("bytes through both pinholes", took, SIGNAL, begun)


@pytest.mark.parametrize("spec", ["pcp", "upnp", "any"])
def test_a_restart_without_announcements_is_found_by_the_checks_for_pinholes(
    restarting6: Lab, uptime: str, control: Slowdown, spec: str
) -> None:
    checks = 2 if uptime == "yes" else 1
    with hold_pinholes(restarting6, spec, "--ip-interval", f"{CHECK}s"):
        time.sleep(3)
        begun = time.monotonic()
        faults.restart_unheard(restarting6, system_uptime=uptime)
        took = restarting6.seconds_until_bytes_arrive_by_ipv6(4001)
        control.judge("bytes through both pinholes", took, checks * CHECK + 1, begun)
