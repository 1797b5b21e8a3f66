"""The environment of a program that we start: ours, without what is secret and what the service manager says to us.

Pure.
"""

from collections.abc import Mapping

WITHHELD = frozenset(
    {
        "PORTMAP_NAT",  # a backend's argument may hold a password
        "PORTMAP_BEYOND",  # as above
        "PORTMAP_PUBLISH",  # so may a publisher's
        "PORTMAP_PROVE",  # so may the URL of a responder
        "NOTIFY_SOCKET",  # sd_notify(3): only portmap itself says how the service is doing
        "WATCHDOG_PID",  # sd_watchdog_enabled(3)
        "WATCHDOG_USEC",
        "CREDENTIALS_DIRECTORY",  # systemd.exec(5), LoadCredential=
    }
)
"""Variables that no child process inherits."""


def child_environment(inherited: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """What a child process gets: the inherited variables but for the withheld ones, and what it is told."""
    return {name: value for name, value in inherited.items() if name not in WITHHELD} | dict(told)
