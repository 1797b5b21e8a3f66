"""What `portmap status` says of a lease."""

import pytest

from portmap.cli.commands.status import status_lines
from portmap.storage.status import PortStatus, SessionStatus


@pytest.mark.parametrize(
    ("expires", "shown"), [(None, "permanent"), (700.0, "10m"), (100.4, "1s"), (100.0, "over"), (90.0, "over")]
)
def test_a_lease_is_what_is_left_of_it(expires: float | None, shown: str) -> None:
    port = PortStatus("TCP", 80, state="up", external_ip="1.2.3.4", external_port=80, expires=expires, since=1.0)
    _, line, *_ = status_lines([SessionStatus(1, "any", "any", 0.0, 0.0, ports=(port,))], 100.0, 80)
    assert line.split()[4] == shown
