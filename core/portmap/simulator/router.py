"""Router: the simulated router: NAT-PMP, PCP and UPnP IGD on loopback with real sockets, relaying TCP and UDP.

    with Router(loopback_address(), quirks=Quirks(other_port=True)) as router:
        ...                                 # speak NAT-PMP or PCP to (router.address, router.pmp_port)
        assert router.heard == Heard(map=1)
        connect((router.outside, router.entries[0].external_port))   # arrives at the internal client

Rules:
- it binds the addresses and ports that it is given and nothing else;
- it sends answers, announcements to the targets that it was given, and events to their subscribers, nothing else;
- all state belongs to the reactor's thread, and other threads see frozen values.

Leases and epoch run on `clock`, delays in real seconds.
"""

import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Self

from portmap.errors import PortmapError
from portmap.simulator import natpmp
from portmap.simulator.handlers import Listener, RequestHandlers
from portmap.simulator.loopback import loopback_address
from portmap.simulator.mapping_table import Entry
from portmap.simulator.net.announcer import check_targets
from portmap.simulator.net.udp_port import Peer
from portmap.simulator.pinhole_table import Pinhole
from portmap.simulator.quirks import Quirks
from portmap.simulator.received import Heard
from portmap.simulator.sockets import ADDRESS6, Ports, RouterSockets
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.description import Device
from portmap.simulator.upnp.igd import newest_version


class Router:
    """One router, from `with` or `start()` until `close()`. Port 0: any; `outside` None: a loopback address of its own.

    `address` is its address in the LAN, `outside` stands for its external one. `pcp` None: as `pmp`, whose port it
    shares. `uptime`: seconds that it has been up already; a client can tell a reboot by the epoch only from an uptime
    of a few seconds on (RFC 6886 §3.6). `announce` are the (group, port) for NAT-PMP and PCP, really 224.0.0.1 port
    5350; `notify` those for SSDP, really 239.255.255.250 port 1900; a loopback router's never leave the host. They
    are repeated after the times of the standards multiplied by `pace`. `listener` is called with each request, on the
    router's own thread. `ipv6`: it has an IPv6 firewall, too, whose pinholes PCP and UPnP (WANIPv6FirewallControl:1)
    open at ::1, on ports of their own; there announcements go to ::1 only. Raises PortmapError where a port is taken.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        *,
        outside: str | None = None,
        external_ip: str = "1.2.3.4",
        pmp: bool = True,
        pcp: bool | None = None,
        upnp: bool = True,
        pmp_port: int = natpmp.PORT,
        ssdp_port: int = 0,
        http_port: int = 0,
        ipv6: bool = False,
        igd: int = 1,
        uptime: float = 0.0,
        quirks: Quirks | None = None,
        announce: tuple[Peer, ...] = (),
        notify: tuple[Peer, ...] = (),
        pace: float = 1.0,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        check_targets(address, announce + notify, pace)
        self.address = address
        self.outside = outside or loopback_address()
        self._clock = clock
        self._boot = 0
        self._ipv6 = ipv6
        self._ports = Ports(
            mapping=pmp_port if pmp or pcp else None,
            ssdp=ssdp_port if upnp else None,
            http=http_port if upnp else None,
            mapping6=0 if ipv6 and (pmp if pcp is None else pcp) else None,
            ssdp6=0 if ipv6 and upnp else None,
            http6=0 if ipv6 and upnp else None,
            announce=announce,
            notify=notify,
            pace=pace,
        )
        now = clock()
        random = random or Random()  # noqa: S311  # a die, not a secret
        self._state = RouterState(
            external_ip, quirks or Quirks(), booted=now - uptime, igd=igd, random=random, quirks_since=now
        )
        self._handlers = RequestHandlers(self._state, self._device, clock, pmp=pmp, pcp=pmp if pcp is None else pcp)
        if listener is not None:
            self._handlers.listener = listener
        self._sockets = RouterSockets(self.address, self.outside, self._state, self._handlers, clock, self._ports)

    def start(self) -> Self:
        """Open the sockets and begin to answer."""
        try:
            self._sockets.open()
        except PortmapError:
            self.close()
            raise
        self._sockets.reactor.start()
        return self

    def close(self) -> None:
        """Close every socket and forward no more. Counters and mappings can still be read."""
        self._sockets.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pmp_port(self) -> int:
        """The UDP port of NAT-PMP and PCP; 0 where neither is spoken."""
        return self._ports.mapping or 0

    @property
    def ssdp_port(self) -> int:
        """The UDP port for searches; 0 without UPnP."""
        return self._ports.ssdp or 0

    @property
    def http_port(self) -> int:
        """The TCP port of the description; 0 without UPnP, another one after some reboots."""
        return self._ports.http or 0

    @property
    def pcp6_port(self) -> int:
        """The UDP port of PCP at ::1; 0 where it is not spoken there."""
        return self._ports.mapping6 or 0

    @property
    def ssdp6_port(self) -> int:
        """The UDP port for searches at ::1; 0 where there is none."""
        return self._ports.ssdp6 or 0

    @property
    def description_url6(self) -> str:
        """Where the UPnP root description is by IPv6."""
        return self._device(ADDRESS6).location

    @property
    def heard(self) -> Heard:
        """What has arrived so far."""
        return self._handlers.heard

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is mapped now, in the order in which it was made."""
        return self._sockets.reactor.run(lambda: self._state.table.alive(self._clock()))

    @property
    def pinholes(self) -> tuple[Pinhole, ...]:
        """What is open by IPv6 now, in the order in which it was made."""
        return self._sockets.reactor.run(lambda: self._state.pinholes.alive(self._clock()))

    @property
    def description_url(self) -> str:
        """Where the UPnP root description is."""
        return self._device("").location

    @property
    def external_ip(self) -> str:
        """The address that the router has, any text: empty, private, reserved, nonsense."""
        return self._state.external_ip

    @external_ip.setter
    def external_ip(self, address: str) -> None:
        self._sockets.reactor.run(partial(self._move, str(address)))

    @property
    def quirks(self) -> Quirks:
        """What is wrong with it; replaceable while it runs."""
        return self._state.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._sockets.reactor.run(partial(self._turn, quirks))

    def reboot(self, *, downtime: float = 0.0, new_control_port: bool = False, byebye: bool = False) -> None:
        """Cut every connection and forget every mapping and subscription; the epoch begins anew.

        For `downtime` seconds nothing is received or answered. `new_control_port`: HTTP is elsewhere afterwards.
        `byebye`: say so before, as a service that is restarted does and one that loses power does not.
        """
        self._sockets.reactor.run(partial(self._reboot, downtime, new_control_port=new_control_port, byebye=byebye))

    def _reboot(self, downtime: float, *, new_control_port: bool, byebye: bool) -> None:
        self._sockets.go_down(byebye=byebye)
        self._state.reboot(self._clock())
        self._boot += 1
        self._sockets.close_connections(elsewhere=new_control_port or self._state.quirks.new_control_port_on_reboot)
        self._sockets.reactor.later(downtime, self._come_up)

    def _come_up(self) -> None:
        self._state.reboot(self._clock())
        self._sockets.come_up()

    def _move(self, address: str) -> None:
        self._state.external_ip = address
        self._sockets.check_line()

    def _turn(self, quirks: Quirks) -> None:
        self._state.set_quirks(quirks, self._clock())
        self._sockets.impairment.reset()

    def _device(self, asker: str) -> Device:
        """What an asker at this address sees."""
        quirks = self._state.quirks
        return Device(
            *((ADDRESS6, self._ports.http6 or 0) if ":" in asker else (self.address, self.http_port)),
            self._state.igd,
            self._boot,
            firewall=self._ipv6 and not quirks.no_pinholes,
            known_as=self.address,
            wan_service=quirks.wan_service or "",
            newest=newest_version(self._state),
        )
