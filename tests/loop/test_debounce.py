from portmap.loop.debounce import Debounce


def test_the_first_signal_acts_at_once() -> None:
    assert Debounce().signalled().due <= 0.0


def test_without_a_signal_nothing_is_due() -> None:
    assert Debounce().due == float("inf")


def test_a_signal_soon_after_waits_for_the_end_of_the_second() -> None:
    assert Debounce().signalled().done(10.0).signalled().due == 11.0


def test_a_flood_makes_one_round_a_second() -> None:
    calm, rounds = Debounce(), 0
    for tick in range(1000):
        calm = calm.signalled()
        if calm.due <= tick / 100:
            calm, rounds = calm.done(tick / 100), rounds + 1
    assert rounds == 10
