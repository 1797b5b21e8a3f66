"""A router that holds one mapping per host: what replaced what is found out and said, and nothing is left."""

from functools import partial

import pytest
from tests.matrix.cell import Recorder
from tests.matrix.columns import COLUMNS, Column
from tests.matrix.jumping_clock import JumpingInbox
from tests.matrix.lan import service
from tests.matrix.rows import UPNP_ONLY

from portmap.events import PortFailed, PortLost, PortRemoved
from portmap.loop.inbox import Register
from portmap.loop.loop import Loop
from portmap.loop.policy import CHECK_INTERVAL, Policy
from portmap.model import PortRequest, Protocol
from portmap.testing import Quirks

READS_BACK = [column for column in COLUMNS if column.name.startswith(("upnp", "any")) and not column.ipv6]


@pytest.mark.parametrize("column", READS_BACK, ids=lambda column: column.name)
def test_that_one_mapping_replaced_the_other_is_said_within_two_checks(column: Column) -> None:
    inbox, told = JumpingInbox(), Recorder()
    with service() as port, column.router(inbox.now, Quirks(one_mapping=True), UPNP_ONLY) as router:
        wanted = [(0.0, partial(Register, PortRequest(protocol, port))) for protocol in Protocol]
        inbox.tell(wanted, 2 * CHECK_INTERVAL + 30, lambda: 0.0)
        Loop(column.make_nat(router, inbox.now), inbox, told, Policy(), random=lambda: 0.5).run()
        (lost,) = [event for event in told.events if isinstance(event, PortLost)]
        (failed,) = [event for event in told.events if isinstance(event, PortFailed)]
        (removed,) = [event for event in told.events if isinstance(event, PortRemoved)]
        assert "replaced it" in lost.reason
        assert "one mapping per host" in lost.reason
        assert (failed.key, failed.error) == (lost.key, "OutOfResources")
        assert removed.key != lost.key
        assert "gateway.rebooted" not in told.names()
        assert column.ours(router, port) == ()
