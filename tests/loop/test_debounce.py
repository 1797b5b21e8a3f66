from portmap.loop.debounce import Calm


def test_the_first_signal_acts_at_once() -> None:
    assert Calm().heard().due <= 0.0


def test_without_a_signal_nothing_is_due() -> None:
    assert Calm().due == float("inf")


def test_a_signal_soon_after_waits_for_the_end_of_the_second() -> None:
    assert Calm().heard().acted(10.0).heard().due == 11.0


def test_a_flood_makes_one_round_a_second() -> None:
    calm, rounds = Calm(), 0
    for tick in range(1000):
        calm = calm.heard()
        if calm.due <= tick / 100:
            calm, rounds = calm.acted(tick / 100), rounds + 1
    assert rounds == 10
