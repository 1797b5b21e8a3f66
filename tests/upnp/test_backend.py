"""What the backend is before it has asked anybody: its kind, its argument, its name, what it needs."""

import subprocess
import sys

import pytest

from portmap.errors import SpecError
from portmap.model import Kind
from portmap_upnp import Upnp


def test_the_kind_is_loop() -> None:
    assert Upnp.kind is Kind.LOOP


@pytest.mark.parametrize(
    "argument", [None, "192.168.1.1", "100.64.0.1", "http://192.168.1.1:5000/rootDesc.xml", "HTTP://127.0.0.1/"]
)
def test_an_argument_is_nothing_or_an_address_or_the_url_of_a_description(argument: str | None) -> None:
    assert isinstance(Upnp.from_argument(argument), Upnp)


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "1.2.3.4",
        "239.255.255.250",
        "192.168.1",
        "foo",
        "http://",
        "http://router.lan/x",
        "https://192.168.1.1/",
        "http://8.8.8.8/x",
    ],
)
def test_any_other_argument_is_refused_with_the_right_form(argument: str) -> None:
    with pytest.raises(SpecError, match=r"write upnp, or upnp:192\.168\.1\.1, or upnp:http://192\.168\.1\.1:5000/r"):
        Upnp.from_argument(argument)


def test_a_given_gateway_is_named_at_once() -> None:
    assert str(Upnp.from_argument("http://192.168.1.1:5000/x")) == "UPnP 192.168.1.1"


def test_the_backend_needs_nothing_but_the_standard_library() -> None:
    code = "import sys; sys.modules['miniupnpc'] = None; import portmap_upnp; portmap_upnp.Upnp.from_argument(None)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
