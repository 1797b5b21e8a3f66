import pytest

from portmap_upnp.notifications.uptime import UptimeTracker


def note(*looks: tuple[int, float]) -> list[bool]:
    uptime = UptimeTracker()
    return [bool(uptime.restart_seen(told, at)) for told, at in looks]


def test_an_uptime_that_began_since_the_last_look_is_a_restart() -> None:
    uptime = UptimeTracker()
    assert uptime.restart_seen(5000, 100) == ""
    assert uptime.restart_seen(12, 160) == "has been up for 12 s only, after 5000 s"


@pytest.mark.parametrize(
    "looks",
    [
        [(5000, 0), (5060, 60)],
        [(5000, 0), (5000, 60)],
        [(0, 0), (0, 60)],
        [(5000, 0), (0, 60)],
        [(5000, 0), (4294967295, 60)],
        [(5000, 0), (-7, 60)],
        [(5000, 0), (900, 60)],
        [(0, 0), (30, 60)],
        [(5000, 0), (5060, 60), (5058, 61)],
    ],
    ids=[
        "goes on",
        "stands still",
        "not told",
        "no longer told",
        "wraps",
        "negative",
        "nonsense",
        "now told",
        "jitter",
    ],
)
def test_anything_else_is_none(looks: list[tuple[int, float]]) -> None:
    assert not any(note(*looks))


def test_a_restart_is_told_once() -> None:
    assert note((5000, 0), (12, 60), (72, 120)) == [False, True, False]
