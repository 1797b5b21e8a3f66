"""The path of a backend with Kind.LOOP: the core loop, with the network monitor and the journal around it.

One thread owns the path's state, reads one inbox and ends at a Stop.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING

from portmap.backends.nat import Nat
from portmap.events import Listener
from portmap.loop.inbox import Inbox, NetworkAlert
from portmap.loop.loop import Loop
from portmap.loop.policy import Policy
from portmap.network.monitor import NetworkMonitor, current_view, current_view6

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal_store import JournalStore
    from portmap.storage.open_ports_reader import OpenPortsReader

_log = logging.getLogger("portmap.dispatch")


def run_loop_path(
    nat: Nat,
    inbox: Inbox,
    listener: Listener,
    policy: Policy | None,
    state: "JournalStore | None",
    open_ports: "OpenPortsReader | None" = None,
    *,
    ipv6: bool = False,
) -> None:
    """Run the loop, with a monitor of our own side of the network and, where there is a state folder, the journal.

    `open_ports` knows what `portmap open` has left open.
    """
    view = partial(current_view6 if ipv6 else current_view, nat.interface)
    monitor = NetworkMonitor(lambda reason: inbox.put(NetworkAlert(reason, certain=not ipv6)), view).start()
    try:
        journal = None
        if state is not None:
            from portmap.storage.journal_writer import JournalWriter  # noqa: PLC0415  # only with a state folder

            journal = JournalWriter(state, lambda: str(nat), nat.name, nat.hint, open_ports=open_ports)
            if hint := journal.inherited.hint_for(nat.name):
                nat.take_hint(hint)
        Loop(nat, inbox, listener, policy, journal).run()
    finally:
        monitor.close()
        if state is not None:
            state.close()
