"""Faults for tests and benchmarks: each is done to a lab, and returns when the network is whole again."""

import time
from collections.abc import Callable
from typing import TypeAlias

from tests.lab.lab import Lab

Fault: TypeAlias = Callable[[Lab], None]

NEW_WAN = "11.22.44.5"
NEW_HOST = "192.168.77.9"


def restart(lab: Lab, **options: str) -> None:
    """The router's daemon dies with its tables, and comes back; its UPnP is at another HTTP port then."""
    lab.router.reboot(**options)


def restart_unheard(lab: Lab, **options: str) -> None:
    """The same, and none of its announcements arrives."""
    lab.router.mute()
    lab.router.reboot(**options)


def new_outer_address(lab: Lab) -> None:
    """The provider gives the router another address."""
    lab.wan_address(NEW_WAN)


def new_own_address(lab: Lab) -> None:
    """DHCP gives the LAN host another address."""
    lab.host_address(NEW_HOST)


def another_router(lab: Lab) -> None:
    """The LAN host finds itself behind another router, with another address on either side."""
    router = lab.buy_router()
    router.start_miniupnpd()
    lab.move_to(router)


def off_for_two_minutes(lab: Lab) -> None:
    """The router is off for two minutes; when it is back with empty tables, its announcements are lost."""
    lab.router.mute()
    lab.router.drop()
    lab.router.reboot()
    time.sleep(120)
    lab.router.recover()
