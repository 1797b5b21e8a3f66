"""go-ethereum's nat.Parse against ours: the 51 forms of the reference study, each as it was run there.

What geth accepts and means, we accept and mean. Where it drops an argument without a word or accepts nonsense, we say
no. `load` parses only: nothing is sent.
"""

from typing import Final, NamedTuple

import pytest

import portmap
from portmap import Kind, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue


class Loads(NamedTuple):
    """What a spec loads: the path it takes, and the name that people see."""

    kind: Kind
    shown: str


NO_NAT = Loads(Kind.NONE, "no NAT")
ANY = Loads(Kind.LOOP, "any")
UPNP = Loads(Kind.LOOP, "UPnP")
PMP = Loads(Kind.LOOP, "NAT-PMP")
PMP_HERE = Loads(Kind.LOOP, "NAT-PMP 192.168.1.1")
EXTIP = Loads(Kind.STATIC, "extip 1.2.3.4")
STUN = Loads(Kind.STATIC, "STUN")

INVALID = "invalid IP address"
NO_SUCH = "unknown mechanism"

TABLE: Final[tuple[tuple[str, str, Loads | str], ...]] = (
    # the spec, what geth does, what we do: load this, or refuse with these words
    ("", "nil", NO_NAT),
    ("none", "nil", NO_NAT),
    ("off", "nil", NO_NAT),
    ("any", "autodisc", ANY),
    ("auto", "autodisc", ANY),
    ("on", "autodisc", ANY),
    ("ANY", "autodisc", ANY),
    ("upnp", "autodisc upnp", UPNP),
    ("pmp", "autodisc natpmp", PMP),
    ("natpmp", "autodisc natpmp", PMP),
    ("nat-pmp", "autodisc natpmp", PMP),
    ("pmp:192.168.1.1", "pmp(192.168.1.1)", PMP_HERE),
    ("natpmp:192.168.1.1", "pmp(192.168.1.1)", PMP_HERE),
    ("nat-pmp:192.168.1.1", "pmp(192.168.1.1)", PMP_HERE),
    ("extip:1.2.3.4", "ExtIP(1.2.3.4)", EXTIP),
    ("ip:1.2.3.4", "ExtIP(1.2.3.4)", EXTIP),
    ("ExtIP:1.2.3.4", "ExtIP(1.2.3.4)", EXTIP),
    ("extip:::1", "ExtIP(::1)", Loads(Kind.STATIC, "extip ::1")),
    ("extip:::ffff:1.2.3.4", "ExtIP(1.2.3.4)", EXTIP),
    # geth drops the argument or takes nonsense; we do not
    (":1.2.3.4", "nil, IP dropped", "none takes no argument"),
    ("none:1.2.3.4", "nil, IP dropped", "none takes no argument"),
    ("any:1.2.3.4", "autodisc, IP dropped", "any takes no argument"),
    ("upnp:1.2.3.4", "autodisc upnp, IP dropped", "no address of a gateway"),
    ("extip:0.0.0.0", "ExtIP(0.0.0.0)", "means 'no address'"),
    ("pmp:fe80::1", "pmp(fe80::1)", "IPv6 address, but NAT-PMP is an IPv4 protocol"),
    # both say no
    (":", INVALID, "none takes no argument"),
    ("none:foo", INVALID, "none takes no argument"),
    ("any:foo", INVALID, "any takes no argument"),
    ("upnp:foo", INVALID, "must start with http://"),
    ("foo:bar", INVALID, "unknown backend 'foo'"),
    ("pmp:", INVALID, "gateway after the colon is missing"),
    ("extip:", INVALID, "extip needs an address"),
    ("extip", "missing IP address", "extip needs an address"),
    ("pmp:192.168.1.1:5351", INVALID, "has a port"),
    ("pmp:router.lan", INVALID, "names are not looked up"),
    ("pmp:fe80::1%eth0", INVALID, "IPv6 address, but NAT-PMP is an IPv4 protocol"),
    ("extip:[::1]", INVALID, "is no IP address"),
    ("extip:1.2.3.04", INVALID, "is no IP address"),
    ("extip:1.2.3.4:30303", INVALID, "is no IP address"),
    (" any", NO_SUCH, "white space"),
    ("any ", NO_SUCH, "white space"),
    ("extip: 1.2.3.4", INVALID, "white space"),
    ("foo:1.2.3.4", NO_SUCH, "unknown backend 'foo'"),
    ("FOO", NO_SUCH, "unknown backend 'foo'"),
    # stun: a server's port may be left out; one that could not be asked is refused
    ("stun", "default list", STUN),
    ("stun:", "default list", STUN),
    ("stun:1.2.3.4", "missing port in address", Loads(Kind.STATIC, "STUN 1.2.3.4:3478")),
    ("stun:::1", "too many colons", "has too many colons"),
    ("stun:[::1]:3478", "stun([::1]:3478)", Loads(Kind.STATIC, "STUN [::1]:3478")),
    ("stun::3478", "accepted, useless", "the server's name is missing"),
    ("stun:1.2.3.4:0", "accepted, useless", "has a port that is not valid"),
)
REFUSED = [(text, words) for text, _, words in TABLE if isinstance(words, str)]


def test_the_table_has_every_form_of_the_study_once() -> None:
    assert len({text for text, _, _ in TABLE}) == len(TABLE) == 51


@pytest.mark.parametrize(("text", "loads"), [(text, loads) for text, _, loads in TABLE if isinstance(loads, Loads)])
def test_what_geth_means_we_mean(text: str, loads: Loads) -> None:
    nat = portmap.load(text)
    assert (nat.kind, str(nat)) == loads


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        portmap.load(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_a_refusal_is_one_printable_line_that_says_what_to_try(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        portmap.load(text)
    assert str(caught.value).isprintable()
    assert "write " in str(caught.value) or "give " in str(caught.value) or "installed are" in str(caught.value)


def test_an_unknown_name_lists_what_is_installed() -> None:
    with pytest.raises(
        SpecError,
        match="installed are any, auto, extip, if, ip, miniupnpc, nat-pmp, natpmp, none, off, on, pcp, pmp, protonvpn, "
        "punch, stun, upnp",
    ):
        portmap.load("foo")


@pytest.mark.parametrize(("typed", "meant"), [("upnpp", "upnp"), ("nattpmp", "natpmp"), ("exitp", "extip")])
def test_an_unknown_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(SpecError, match=f"did you mean '{meant}'"):
        portmap.load(typed)


def test_a_name_like_no_other_is_answered_without_a_guess() -> None:
    with pytest.raises(SpecError) as caught:
        portmap.load("zzzzzzzz")
    assert "did you mean" not in str(caught.value)


def test_where_nothing_is_installed_that_is_said() -> None:
    with pytest.raises(SpecError, match=r"installed are none$"):
        portmap.load("pmp", Catalogue(BACKENDS, entries=()))
