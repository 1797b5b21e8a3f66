"""A child process does not inherit our secrets."""

import pytest

from portmap.host.environment import WITHHELD, child_environment


@pytest.mark.parametrize(
    "name",
    [
        "PORTMAP_PUBLISH",
        "PORTMAP_NAT",
        "NOTIFY_SOCKET",
        "CREDENTIALS_DIRECTORY",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    ],
)
def test_a_secret_is_withheld(name: str) -> None:
    assert name in WITHHELD
    assert child_environment({name: "secret", "PATH": "/bin"}, {}) == {"PATH": "/bin"}


def test_a_variable_that_a_child_is_told_replaces_an_inherited_one() -> None:
    assert child_environment({"A": "1", "B": "2"}, {"B": "3"}) == {"A": "1", "B": "3"}
