"""How Hypothesis makes its examples in all tests."""

from hypothesis import HealthCheck, settings


def judge_no_time() -> None:
    """An example may take long, and so may the making of it: that says only that the machine is busy."""
    settings.register_profile("portmap", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("portmap")
