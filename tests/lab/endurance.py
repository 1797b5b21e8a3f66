"""A minute of holding 20 s leases, in a lab of its own, while the other tests run.

Law: it begins with the session and is only judged at its end.
"""

import time
from contextlib import ExitStack
from typing import Self

from tests.lab.command import Portmap
from tests.lab.lab import Lab
from tests.lab.traffic import Vigil

MINUTE = 60.0
LEASE = 20
UNATTENDED = 4999  # held by nobody: shows that this router means what it says about leases
PORTS = {"pmp": 4101, "upnp": 4102, "pcp": 4103}


class Endurance:
    """Holds a port over NAT-PMP, one over UPnP and one over PCP, each TCP and UDP, and knocks on all six."""

    vigils: dict[tuple[str, str], Vigil]
    commands: dict[str, Portmap]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.lab = stack.enter_context(Lab())
            self.lab.router.start_miniupnpd()
            self._leave_a_lease_unattended()
            self.commands = {spec: self._hold(stack, spec, port) for spec, port in PORTS.items()}
            self.vigils = {
                (spec, protocol): self.lab.keep_vigil(protocol, port)
                for spec, port in PORTS.items()
                for protocol in ("TCP", "UDP")
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def wait(self) -> None:
        """Until the minute is over for every vigil."""
        for vigil in self.vigils.values():
            time.sleep(max(0.0, MINUTE - vigil.seconds))

    def _leave_a_lease_unattended(self) -> None:
        port = str(UNATTENDED)
        self.lab.lan.run(["natpmpc", "-a", port, port, "tcp", str(LEASE)])

    def _hold(self, stack: ExitStack, spec: str, port: int) -> Portmap:
        self.lab.serve(port)
        command = Portmap(self.lab.lan, "--nat", spec, "--lease", f"{LEASE}s", f"{port}/both")
        stack.enter_context(command)
        for protocol in ("TCP", "UDP"):
            command.wait_for("mapping.added", protocol=protocol, lifetime=LEASE)
        return command
