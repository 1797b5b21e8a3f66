"""What is wrong with the simulated router: named switches, each one thing that a real router does, all combinable.

Data only. Each switch has a description and its usual value; `quirk_sources` names the routers that have it,
`quirk_options` makes tables and command lines. The effects are where the behaviour is: `net` (bytes under way),
`state` (what is granted), `natpmp`, `pcp` and `upnp/igd` (what is answered), `upnp/page_quirks` (how searches and
pages look).
"""

from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


def _is(says: str) -> bool:
    """A switch that is on or off."""
    return _has(False, True, says)


def _has(off: T, usual: object, says: str) -> T:
    """A switch with a value: what it is when off, and what `NAME` alone stands for on a command line."""
    switch: T = field(default=off, metadata={"usual": usual, "says": says})
    return switch


def _one_of(choices: tuple[str, ...], says: str) -> str | None:
    """A switch whose value is one of these words; `NAME` alone stands for the first."""
    switch: str | None = field(default=None, metadata={"usual": choices[0], "says": says, "choices": choices})
    return switch


def _several_of(choices: tuple[str, ...], says: str) -> tuple[str, ...]:
    """A switch whose value is a list of such words, in order."""
    switch: tuple[str, ...] = field(default=(), metadata={"usual": choices[:1], "says": says, "choices": choices})
    return switch


_NO_NUMBERS: frozenset[int] = frozenset()

LINES = ("down", "up", "private", "cgnat", "zero", "empty", "nonsense", "denied", "no_url", "foreign_url")
"""What is wrong with a WAN service: its line is down; nothing; its address is private, the provider's, 0.0.0.0, empty
or no address; it answers 401 to everything; its control URL is empty, or leads to another host.
"""
PPP = "ppp:"  # before one of them: the service is a WANPPPConnection
ODD_XML = ("latin_1", "ampersand", "control", "encoding", "doctype", "less_than", "unclosed", "attributes")
READ_BACK = ("714", "401", "600", "606", "http_404", "http_500", "empty", "zero")
CLIENT_AS = ("name", "padded", "prefix", "blanks")
ADD_ANSWERS = ("empty", "201", "202", "204", "bare", "illegible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """A router's character. The default is a router without a fault."""

    # Under way: UDP and HTTP alike, except where it says so.
    loss: float = _has(0.0, 0.3, "this share of datagrams is lost, each way")
    lost_first: int = _has(0, 1, "so many datagrams are lost before one gets through")
    slow: float = _has(0.0, 1.0, "every answer takes so many seconds")
    drip: float = _has(0.0, 0.05, "HTTP answers come byte by byte, so many seconds apart")
    duplicate: bool = _is("every datagram is answered twice")
    reorder: bool = _is("an answer waits until the next one has overtaken it")
    silent: bool = _is("hears everything, does it, and never answers")
    garbage: bool = _is("answers with as many random bytes")
    truncated: bool = _is("answers with the first half only")
    wrong_sender: bool = _is("datagrams are answered from another address")

    # What is granted, and what becomes of it.
    conflict: frozenset[int] = _has(_NO_NUMBERS, frozenset({30303}), "another host holds these external ports")
    other_port: bool = _is("grants another external port than asked for, where it may choose")
    zero_port: bool = _is("says that the granted external port is 0")
    caps_lifetime: int | None = _has(None, 60, "grants at most so many seconds, also where permanent was asked")
    success_without_effect: bool = _is("says yes and maps nothing")
    zombie_mapping: bool = _is("a mapping is listed but not forwarded until it was deleted once and made again")
    prunes: float = _has(0.0, 600.0, "throws a mapping out after so many seconds, whatever its lease")
    full_table: bool = _is("has no room: NAT-PMP 4, PCP 8, UPnP 728")
    high_ports_only: bool = _is("refuses external ports under 1024")
    only_ports: frozenset[int] = _has(
        _NO_NUMBERS, frozenset(range(5000, 5011)), "allows these external ports only; chooses one where it may"
    )
    one_mapping: bool = _is("holds one mapping per host: the next one replaces it")
    vpn_gateway: bool = _is("leases of 60 s; draws the external port, each time anew; internal port 0 or 1: the same")

    # The line and the clock.
    no_wan: bool = _is("has no external address: NAT-PMP 3, PCP 7, UPnP Disconnected")
    wan_flap: float = _has(0.0, 5.0, "the line is up for so many seconds, down for as many, and so on")
    private_wan: bool = _is("the external address is private: double NAT")
    cgnat_wan: bool = _is("the external address is the provider's (100.64.0.0/10)")
    refuses_private: bool = _is(
        "its external address is private, so it refuses: NAT-PMP 3, PCP 8 with the address, UPnP 501 though Connected"
    )
    zero_wan: bool = _is("says that its external address is 0.0.0.0")
    two_wans: float = _has(0.0, 1.0, "states one of two external addresses in turn, each for so many seconds")
    epoch_reset: int = _has(0, 5, "its clock begins anew every so many seconds, though it forgets nothing")
    uptime_epoch: bool = _is("its epoch goes on counting when its mappings are lost")
    unix_epoch: bool = _is("its epoch is unix time")
    no_announcements: bool = _is("says nothing unasked: no announcement, no SSDP NOTIFY, no event")
    announces_by_pmp: bool = _is("tells of another address by NAT-PMP only, and PCP's epoch goes on counting")
    new_control_port_on_reboot: bool = _is("HTTP is on another port after a reboot")

    # NAT-PMP and PCP.
    pmp_result: int | None = _has(None, 2, "NAT-PMP refuses to map with this result (RFC 6886 §3.5)")
    pcp_result: int | None = _has(
        None, 2, "PCP refuses to map with this result (RFC 6887 §7.4); 12 tells of a NAT in between"
    )
    pcp_no_renewal: bool = _is("PCP says yes to a renewal and extends nothing")
    short_refusals: bool = _is("a NAT-PMP refusal is 12 bytes, without an epoch")
    taken_is_4: bool = _is("NAT-PMP answers 4 for a taken or forbidden port, and chooses only where asked for port 0")
    delete_by_external_port: bool = _is("NAT-PMP deletes the external port that is named, and answers 3 for none")
    no_port_zero: bool = _is("refuses external port 0, which means: you choose")
    wrong_internal_port: bool = _is("NAT-PMP and PCP answers are for another internal port")
    wrong_nonce: bool = _is("PCP answers carry another nonce")
    short_errors: bool = _is("PCP errors are 24 bytes, without the request's copy")
    zero_error_lifetime: bool = _is("PCP errors live for 0 s")
    extra_option: bool = _is("PCP answers carry an unknown option")
    r_bit_in_version_error: bool = _is("a NAT-PMP-only router sets the response bit in its answer to PCP")

    # SSDP.
    multicast_only: bool = _is("answers no search that comes by unicast")
    needs_mx: bool = _is("answers no search without an MX of 1 to 5")
    first_match_only: bool = _is("answers ssdp:all with the root device only")
    igd_2_only: bool = _is("an IGD:2 that answers no search for version 1")
    other_search_port: bool = _is("search answers leave from another port")
    lowercase_headers: bool = _is("header names in lower case, no blank after the colon")
    bad_uuid: bool = _is("USN and UDN are no UUIDs")
    search_flood: int = _has(0, 100, "so many unknown devices answer first")
    printer_answers_first: bool = _is("a printer answers first, whatever is searched for")
    two_gateways: bool = _is("a second gateway, whose line is down, answers first")
    evil_location: bool = _is("LOCATION leads to another host")
    null_location: bool = _is("LOCATION has the host (null)")
    location_host: str | None = _has(None, "[::1]", "LOCATION has this host, as have absolute control URLs and URLBase")
    strict_igd_1: bool = _is("an IGD:1 that knows nothing of version 2: no search for it, no AddAnyPortMapping")

    # The description, and HTTP.
    evil_control_url: bool = _is("the control URL leads to another host")
    redirect: bool = _is("HTTP redirects to another host")
    xml_bomb: bool = _is("XML with entities that multiply without end")
    huge_body: int = _has(0, 16 << 20, "every XML page is so many bytes longer")
    junk_after_xml: bool = _is("bytes after the end of the XML, NUL among them")
    no_namespaces: bool = _is("XML without namespace declarations on the description")
    odd_content_type: bool = _is("XML as text/html")
    legacy_service_types: bool = _is("urn:dslforum-org instead of urn:schemas-upnp-org")
    first_lines: tuple[str, ...] = _several_of(
        (*LINES, *(PPP + line for line in LINES)), f"these WAN services come first: {', '.join(LINES)}, or {PPP}LINE"
    )
    wan_service: str | None = _has(None, "WANPPPConnection:2", "its WAN service has this type, and knows no other")
    odd_types: bool = _is("device and service types in lower case, without a version")
    odd_xml: str | None = _one_of(ODD_XML, f"a field of every page is no good XML: {', '.join(ODD_XML)}")
    url_base: bool = _is("URLBase, and control URLs relative to it")
    double_slash: bool = _is("control URLs begin with two slashes")
    absolute_control_url: bool = _is("control URLs are absolute")

    # SOAP.
    upnp_error: int | None = _has(None, 718, "UPnP refuses to map with this errorCode")
    upnp_off: bool = _is("answers 501 to every action")
    only_permanent: bool = _is("refuses every lifetime with 725 OnlyPermanentLeasesSupported")
    permanent_as_402: bool = _is("refuses every lifetime with 402 Invalid Args")
    no_infinite: bool = _is("refuses lifetime 0 with 402 Invalid Args")
    no_refresh: bool = _is("asking again says yes and extends nothing")
    no_overwrite: bool = _is("718 also for one's own mapping: delete it first")
    same_port_required: bool = _is("724 unless external and internal port are the same")
    conflict_as_501: bool = _is("a taken port is 501 Action Failed")
    picky_description: bool = _is("501 for a description of more than 32 characters")
    secure_mode: bool = _is("maps to the asking host only: 606 (IGD:2) or 718 (IGD:1)")
    throttle: float = _has(0.0, 0.2, "501 for a call that comes less than so many seconds after the last")
    list_ends_with: int | None = _has(None, 402, "the end of the list is this errorCode instead of 713")
    add_answer: str | None = _one_of(ADD_ANSWERS, f"says yes to AddPortMapping so: {', '.join(ADD_ANSWERS)}")
    read_back: str | None = _one_of(READ_BACK, f"GetSpecificPortMappingEntry gives: {', '.join(READ_BACK)}")
    no_list: int | None = _has(None, 606, "refuses to list its table with this errorCode")
    client_as: str | None = _one_of(CLIENT_AS, f"lists a mapping's host oddly: {', '.join(CLIENT_AS)}")
    bad_rows: frozenset[int] = _has(
        _NO_NUMBERS, frozenset({30303}), "another host holds these external ports, and their rows are no XML"
    )
    rubbish_faults: bool = _is("a fault is rubbish but for a legible errorCode")
    forbidden_as_718: bool = _is("a port that it does not allow is 718 instead of 606")
    forgiving_delete: bool = _is("to delete what is not there is 200 instead of 714")
    status: str | None = _has(None, "Disconnected", "its status is this word, whatever its line does")
    states: str | None = _has(None, "", "states this as its external address, whatever it is")
    nat_said_off: bool = _is("says that NAT is off")
    negative_uptime: bool = _is("the uptime is negative")

    # IPv6 pinholes, by PCP and UPnP.
    no_pinholes: bool = _is("opens no IPv6 pinholes: no WANIPv6FirewallControl, PCP 2 over IPv6")
    pinholes_forbidden: bool = _is("allows no inbound IPv6 pinholes, and says so: UPnP 703, PCP 2")
    firewall_off: bool = _is("says that its IPv6 firewall is off: nothing to open, UPnP 702")
