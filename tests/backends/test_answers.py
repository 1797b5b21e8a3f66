"""What a backend answers is taken where it makes sense; else it is the plugin author's fault, or the gateway's."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from portmap.backends.answers import (
    LONGEST,
    MOST,
    MOST_LISTED,
    checked_address,
    checked_error,
    checked_facts,
    checked_grant,
    checked_hint,
    checked_list,
    checked_port,
    checked_presence,
)
from portmap.errors import Garbled, GatewayTimeout, PluginError, Refused
from portmap.model import MAX_LIFETIME, MAX_PORT, Grant, Listed, Protocol

GRANT = Grant(443, 600)
ROW = Listed(Protocol.TCP, 443, "192.168.1.5", 8443, 600, "web", ours=True)


@pytest.mark.parametrize("address", [IPv4Address("203.0.113.7"), IPv4Address("10.0.0.1"), IPv6Address("2001:db8::7")])
def test_an_address_is_taken_whatever_its_worth(address: IPv4Address | IPv6Address) -> None:
    assert checked_address(address, "acme") == address


@pytest.mark.parametrize("answer", [None, "203.0.113.7", 7, b"\1\2\3\4"])
def test_what_is_no_address_is_the_plugin_authors_fault(answer: object) -> None:
    with pytest.raises(PluginError, match=r"^acme answered .* where an address was due$"):
        checked_address(answer, "acme")


@pytest.mark.parametrize("address", [IPv4Address("0.0.0.0"), IPv6Address("::")])  # noqa: S104  # read, not bound
def test_the_unspecified_address_is_none(address: object) -> None:
    with pytest.raises(Garbled, match="it has none yet"):
        checked_address(address, "acme")


@pytest.mark.parametrize(
    "grant",
    [
        GRANT,
        Grant(1, 0),
        Grant(MAX_PORT, MAX_LIFETIME),
        Grant(443, 600, IPv6Address("2001:db8::7"), token="x" * LONGEST, static=True, note="as it is"),
    ],
)
def test_a_grant_that_can_be_is_taken(grant: Grant) -> None:
    assert checked_grant(grant, "acme") is grant


@pytest.mark.parametrize(
    "fault",
    [
        {"external_port": "443"},
        {"external_port": 443.0},
        {"external_port": None},
        {"lifetime": "600"},
        {"lifetime": 0.5},
        {"external_ip": "203.0.113.7"},
        {"external_ip": 7},
        {"token": None},
        {"token": b"00ff"},
        {"token": "x" * (LONGEST + 1)},
        {"static": 1},
        {"static": None},
        {"note": None},
        {"note": 5},
    ],
    ids=repr,
)
def test_a_grant_with_a_field_of_the_wrong_type_is_the_plugin_authors_fault(fault: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="where a Grant was due"):
        checked_grant(replace(GRANT, **fault), "acme")


@pytest.mark.parametrize("answer", [None, 443, (443, 600), "443"])
def test_what_is_no_grant_is_the_plugin_authors_fault(answer: object) -> None:
    with pytest.raises(PluginError, match="where a Grant was due"):
        checked_grant(answer, "acme")


@pytest.mark.parametrize("port", [0, -1, MAX_PORT + 1])
def test_a_granted_port_that_is_none_is_the_gateways_fault(port: int) -> None:
    with pytest.raises(Garbled, match=f"acme granted port {port}, which is not a valid port"):
        checked_grant(replace(GRANT, external_port=port), "acme")


@pytest.mark.parametrize("lifetime", [-1, MAX_LIFETIME + 1])
def test_a_granted_lifetime_that_is_none_is_the_gateways_fault(lifetime: int) -> None:
    with pytest.raises(Garbled, match=f"acme granted a lifetime of {lifetime} s, which is not valid"):
        checked_grant(replace(GRANT, lifetime=lifetime), "acme")


@pytest.mark.parametrize(
    "error", [GatewayTimeout("no answer"), Refused("no"), Refused("no", code=5, text="no", retry_after=0.5)]
)
def test_an_error_that_can_be_read_is_raised_as_it_is(error: GatewayTimeout | Refused) -> None:
    assert checked_error(error, "acme") is error


@pytest.mark.parametrize(
    "fault", [{"code": "5"}, {"code": None}, {"text": 5}, {"retry_after": "soon"}, {"retry_after": -0.5}], ids=repr
)
def test_a_refusal_with_fields_that_cannot_be_is_the_plugin_authors_fault(fault: dict[str, Any]) -> None:
    error = Refused("no")
    for name, value in fault.items():
        setattr(error, name, value)
    checked = checked_error(error, "acme")
    assert isinstance(checked, PluginError)
    assert str(checked) == "acme raised Refused with fields that cannot be: no"


def test_a_refusal_without_its_fields_is_the_plugin_authors_fault() -> None:
    class Own(Refused):
        def __init__(self) -> None:
            Exception.__init__(self, "no")  # the plugin's own class forgets ours

    checked = checked_error(Own(), "acme")
    assert str(checked) == "acme raised Own with fields that cannot be: no"


def test_an_error_whose_text_cannot_be_read_is_the_plugin_authors_fault() -> None:
    class Unreadable(GatewayTimeout):
        def __str__(self) -> str:
            raise KeyError

    checked = checked_error(Unreadable("x"), "acme")
    assert str(checked) == "acme raised Unreadable, whose text cannot be read: KeyError"


@pytest.mark.parametrize(("answer", "hint"), [(None, ""), ("", ""), ("http://192.168.1.1/", "http://192.168.1.1/")])
def test_a_hint_is_a_text(answer: object, hint: str) -> None:
    assert checked_hint(answer, "acme") == hint
    assert checked_hint("x" * LONGEST, "acme") == "x" * LONGEST


@pytest.mark.parametrize("answer", [5, b"x", "x" * (LONGEST + 1)])
def test_what_is_no_hint_is_the_plugin_authors_fault_and_is_shown_in_part(answer: object) -> None:
    with pytest.raises(PluginError, match="where a hint of up to 1024 letters was due") as caught:
        checked_hint(answer, "acme")
    assert len(str(caught.value)) < 200


def test_facts_are_texts_few_short_and_printable() -> None:
    assert checked_facts(None, "acme") == ()
    assert checked_facts(("Acme 3000", "\x1b[31m"), "acme") == ("Acme 3000", "?[31m")
    assert checked_facts(("x" * (LONGEST + 9),) * (MOST + 9), "acme") == ("x" * LONGEST,) * MOST


def test_a_table_is_of_rows_and_ends_somewhere() -> None:
    assert checked_list(None, "acme") is None
    assert checked_list((), "acme") == ()
    assert checked_list((ROW,), "acme") == (ROW,)
    assert len(checked_list((ROW,) * (MOST_LISTED + 9), "acme") or ()) == MOST_LISTED


@pytest.mark.parametrize(
    "fault", [{"protocol": "TCP"}, {"lifetime": 0.5}, {"client": 5}, {"description": None}], ids=repr
)
def test_a_row_with_a_field_of_another_type_is_the_plugin_authors_fault(fault: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match=r"acme answered with Listed.*, of which a field is of the wrong type"):
        checked_list((ROW, replace(ROW, **fault)), "acme")


@pytest.mark.parametrize("presence", [True, False, None])
def test_a_presence_is_yes_no_or_unknown(presence: bool | None) -> None:
    assert checked_presence(presence, "acme") is presence


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checked_facts, ["Acme 3000"]),
        (checked_facts, "Acme 3000"),
        (checked_facts, ("Acme", 3000)),
        (checked_facts, 5),
        (checked_list, [ROW]),
        (checked_list, (ROW, "web")),
        (checked_list, 5),
        (checked_presence, 1),
        (checked_presence, "yes"),
    ],
)
def test_an_answer_of_another_type_is_the_plugin_authors_fault(
    check: Callable[[object, str], object], answer: object
) -> None:
    with pytest.raises(PluginError, match=r"^acme answered .* was due$"):
        check(answer, "acme")


@pytest.mark.parametrize("port", [1, MAX_PORT])
def test_a_local_port_that_can_be_is_taken(port: int) -> None:
    assert checked_port(port, "acme") == port


@pytest.mark.parametrize("answer", [0, -1, MAX_PORT + 1, True, None, "443", 443.0])
def test_what_is_no_local_port_is_the_plugin_authors_fault(answer: object) -> None:
    with pytest.raises(PluginError, match=r"^acme answered .* where a port was due$"):
        checked_port(answer, "acme")
