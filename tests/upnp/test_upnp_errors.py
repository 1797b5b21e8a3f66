import pytest

from portmap.errors import Conflict, NotAuthorized, OnlyPermanentLeases, OutOfResources, Refused
from portmap_upnp.control.upnp_errors import error_for_code


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (402, Refused),
        (501, Refused),
        (606, NotAuthorized),
        (714, Refused),
        (716, Refused),
        (718, Conflict),
        (724, Refused),
        (725, OnlyPermanentLeases),
        (728, OutOfResources),
        (729, Conflict),
        (712, Refused),
        (899, Refused),
        (-911, Refused),
        (0, Refused),
    ],
)
def test_a_code_becomes_its_error_and_is_kept(code: int, kind: type[Refused]) -> None:
    error = error_for_code("AddPortMapping", code, "Words")
    assert (type(error), error.code, error.text) == (kind, code, "Words")


def test_the_message_says_what_was_refused_why_and_by_which_number() -> None:
    assert str(error_for_code("AddPortMapping", 718, "ConflictInMappingEntry")) == (
        "the gateway refused AddPortMapping: the external port is taken by another host"
        " (UPnP 718 ConflictInMappingEntry)"
    )


def test_the_gateways_own_words_are_cut_and_cleaned() -> None:
    error = error_for_code("AddPortMapping", 501, " \x1b[31mred\x00\n" + "x" * 500)
    assert error.text.startswith("[31mred")
    assert len(error.text) <= 80
