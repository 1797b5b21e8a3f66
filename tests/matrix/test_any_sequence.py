"""Any sequence of answers, drops, refusals, reboots, moves and leaps of the clock: nothing crashes, nothing of ours is
left, nothing of others is touched, and no port is shut for longer than the loop's back-off allows.

First the real loop at a scripted gateway, thousands of steps; then with the real NAT-PMP backend at the simulated
router. The same sequences at every run.
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.matrix.router_model import live_through
from tests.matrix.scripted_model import KEPT, TROUBLES, Step, World

from portmap.events import PortEvent
from portmap.loop.lease import MAX_RETRY

fixed = settings(
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # a busy machine
)
LONGEST_EXCUSE = MAX_RETRY * 1.25 + 30  # seconds: the longest back-off, and calls under way that no answer comes
AT_A_GATEWAY = (
    *TROUBLES,
    *("gives no port", "gives other ports", "gives short leases", "sleeps", "has a guest"),
    *("reboots", "reboots, and a neighbour is faster", "forgets", "moves", "alarms falsely", "our link changes"),
)
AT_A_ROUTER = (
    *("reboots", "reboots, and a neighbour is faster", "moves", "sleeps"),
    *("silent", "garbage", "truncated", "loss", "wrong_sender", "reorder", "duplicate"),
    *("no_wan", "pmp_result", "full_table", "zero_port", "wrong_internal_port"),
    *("other_port", "caps_lifetime", "epoch_reset", "conflict"),
)
CALM = st.sampled_from([0.5, 5.0, 100.0, 1000.0])


def steps(things: tuple[str, ...], most: int) -> st.SearchStrategy[list[Step]]:
    """Any sequence of these, most of them overlapping."""
    pauses, lengths = [0.0, 0.1, 1.0, 10.0, 60.0, 300.0, 1000.0], [0.5, 5.0, 30.0, 200.0]
    step = st.builds(Step, st.sampled_from(things), pause=st.sampled_from(pauses), length=st.sampled_from(lengths))
    return st.lists(step, min_size=1, max_size=most)


@settings(fixed, max_examples=200)
@given(steps(AT_A_GATEWAY, most=20), CALM)
def test_whatever_happens_to_the_loop(steps: list[Step], calm: float) -> None:
    world = World(steps, calm)
    recorded, inbox = world.play()
    assert [request for request in KEPT if world.left(request.key)] == []
    assert world.trespasses == 0
    for request in KEPT:
        gaps = inbox.gaps[request.key].all
        assert [gap for gap in gaps if not world.diary.excused(gap, LONGEST_EXCUSE)] == []
        events = [event for _, event in recorded.events if isinstance(event, PortEvent)]
        assert_makes_sense([event for event in events if event.key == request.key])


@settings(fixed, max_examples=25)
@given(steps(AT_A_ROUTER, most=8), CALM)
def test_whatever_happens_to_nat_pmp_at_a_router(steps: list[Step], calm: float) -> None:
    world, gaps = live_through(steps, calm)
    assert (world.left, world.robbed) == ((), [])
    assert [gap for gap in gaps if not world.diary.excused(gap, LONGEST_EXCUSE)] == []


def assert_makes_sense(events: list[PortEvent]) -> None:
    is_open = False
    for event in events:
        if event.event != "mapping.failed":
            assert is_open == (event.event != "mapping.added")
            is_open = event.event not in {"mapping.lost", "mapping.removed"}
    assert not is_open
