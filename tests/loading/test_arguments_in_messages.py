"""No message repeats what a user wrote as a plugin's argument: it may hold a password."""

import pytest
from tests.loading.acme import catalogue, source
from tests.loading.conftest import InstallAcme

from portmap.backends.load import load
from portmap.errors import PluginError, PortmapError

pytestmark = pytest.mark.usefixtures("short_limit")


@pytest.mark.parametrize("argument", ["user:canary@host", "canary"])
def test_no_message_repeats_an_argument(argument: str, install_acme: InstallAcme) -> None:
    install_acme(source(construct="raise ValueError('what is ' + argument)"))
    with pytest.raises(PluginError, match="raised ValueError for its argument") as caught:
        load(f"acme:{argument}", catalogue())
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        " acme:canary",
        "acme:canary ",
        "acme:can\nary",
        "acme:canary, acme:canary",
        "acme:canary,acme:canary",
        "acme:canary,extip:canary.example.org",
        "any:canary",
        "none:canary",
        "nothing:canary",
    ],
)
def test_no_message_about_a_spec_repeats_an_argument(spec: str, install_acme: InstallAcme) -> None:
    install_acme(source())
    with pytest.raises(PortmapError) as caught:
        load(spec)
    assert "canary" not in str(caught.value)


def test_a_list_is_shown_without_its_arguments(install_acme: InstallAcme) -> None:
    install_acme(source())
    assert str(load("acme:canary,pmp:127.0.0.1")) == "acme:…,pmp:…"
