import threading

import pytest

from portmap.errors import PluginError
from portmap.loading.time_limit import call_with_limit


def test_what_the_work_returns_is_returned() -> None:
    assert call_with_limit(lambda: 5, "adding") == 5


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        call_with_limit(fail, "failing")


def test_what_takes_too_long_is_named_and_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(PluginError, match=r"the import of acme did not come back within 0\.01 s"):
        call_with_limit(release.wait, "the import of acme", seconds=0.01)
    release.set()
