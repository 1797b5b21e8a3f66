"""A package whose metadata cannot be read hides no plugin, neither its own nor another."""

import pytest
from tests.conftest import Install
from tests.loading.acme import GOOD, GOOD_ENTRY, catalogue, source
from tests.loading.conftest import InstallAcme
from tests.stopwatch import Stopwatch

from portmap.backends.load import load
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.loading.distributions import MAX_NAMES
from portmap.loading.other_entries import MAX_TEXT
from portmap.syntax.plugin_specs import Spec

pytestmark = pytest.mark.usefixtures("short_limit")


def test_metadata_that_is_no_utf8_hides_no_plugin(install_acme: InstallAcme, install: Install) -> None:
    site = install_acme(source())
    install("good-nat", GOOD_ENTRY, good_nat=GOOD)
    (site / "acme-nat-1.0.dist-info" / "METADATA").write_bytes(
        b"Metadata-Version: 2.1\nName: \xff\xfe\nVersion: \xff\n"
    )
    assert str(load("good", catalogue()).external_ip()) == "9.9.9.9"
    assert str(load("acme", catalogue()).external_ip()) == "1.2.3.4"


@pytest.mark.parametrize(
    "content",
    [
        b"[portmap.backends]\nacme = acme_nat:Acme\n\xff\xfe = no:Thing\n",
        "[portmap.backends]\nacme = acme_nat:Acme\n".encode("utf-16"),
        b"[portmap.backends]\n" + b"".join(b"n%d = acme_nat:Acme\n" % number for number in range(300_000)),
        b"[portmap.backends]\n" + b"".join(b"n%d = acme_nat:Acme\n" % number for number in range(MAX_NAMES + 1)),
        b"[portmap.backends]\nacme = acme_nat:Acme\n#" + b"x" * MAX_TEXT,
        b"[portmap.backends]\nacme\n",
    ],
    ids=["no UTF-8", "UTF-16", "300,000 names", "one name too many", "too long", "no value"],
)
def test_unreadable_entry_points_hide_no_plugin_and_it_is_said(
    content: bytes, install_acme: InstallAcme, install: Install
) -> None:
    site = install_acme(source())
    install("good-nat", GOOD_ENTRY, good_nat=GOOD)
    (site / "acme-nat-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    with Stopwatch() as watch:
        everything = Catalogue(BACKENDS)
    assert watch.seconds < 1.0
    assert str(load("good", everything).external_ip()) == "9.9.9.9"
    assert str(load("extip:1.2.3.4", everything)) == "extip 1.2.3.4"
    with pytest.raises(SpecError, match="the plugins of acme cannot be read"):
        everything.find(Spec("acme"))
