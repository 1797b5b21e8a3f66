"""TokenBucket: so many at once, then one in a while."""

from portmap.wire import TokenBucket


def test_as_many_as_it_holds_are_given_at_once() -> None:
    bucket = TokenBucket(3, interval=10.0)
    assert [bucket.take(100.0) for _ in range(5)] == [True, True, True, False, False]


def test_one_comes_back_in_each_interval() -> None:
    bucket = TokenBucket(1, interval=10.0)
    assert [bucket.take(now) for now in (0.0, 5.0, 9.9, 10.0, 19.9, 20.0)] == [True, False, False, True, False, True]


def test_it_never_holds_more_than_its_capacity() -> None:
    bucket = TokenBucket(2, interval=10.0)
    bucket.take(0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]
