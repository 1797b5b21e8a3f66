"""What is promised: every switch of the simulated router, and what each backend makes of it.

Law: data only. A switch without a row fails the test. Each word of a row's name that is a switch is on; what is in
brackets happens while the loop runs.
"""

from tests.matrix.events import becomes, moves
from tests.matrix.outcomes import Deceived, Holds, NotApplicable, Raises, Works, whoever_wins
from tests.matrix.rows import Row, Story, everybody, mapping_protocol, pcp, upnp

from portmap.errors import Conflict, Garbled, GatewayTimeout, NoGateway, NotAuthorized, OutOfResources, Refused
from portmap.testing import Quirks, Router
from portmap.testing.switches import SWITCHES, quirks_from

WORKS, ELSEWHERE = Works(), Works(same=False)
HOLDS = Holds()
NO_GATEWAY, TIMEOUT, GARBLED = Raises(NoGateway), Raises(GatewayTimeout), Raises(Garbled)
REFUSED = Raises(Refused)
PERMANENT, A_WEEK = Works(lifetime=0), Works(lifetime=604800)  # for ever, and what IGD:2 makes of that
A_WHILE = Story()
TEN_MINUTES_EACH = Story(span=1300, lease=600, ip_interval=60)
CAPPED = Story(span=300, lease=600)
NO_READ_BACK = Deceived("the protocol has no way to read back")
LISTED = Deceived("the router lists it as it should be")


UNDER_WAY = {
    "loss": everybody(HOLDS, story=A_WHILE),
    "lost_first": everybody(WORKS),
    "slow": everybody(WORKS),
    "drip": upnp(NO_GATEWAY, given=TIMEOUT),
    "duplicate": everybody(WORKS),
    "reorder": everybody(WORKS),
    "silent": everybody(NO_GATEWAY, pmp_given=TIMEOUT, upnp_given=TIMEOUT),
    "garbage": everybody(NO_GATEWAY, pmp_given=GARBLED, upnp_given=GARBLED),
    "truncated": everybody(NO_GATEWAY, pmp_given=GARBLED, upnp_given=GARBLED),
    "wrong_sender": everybody(NO_GATEWAY, pmp_given=TIMEOUT, upnp_given=WORKS),
}

GRANTED = {
    "conflict": everybody(ELSEWHERE),
    "other_port": everybody(ELSEWHERE, upnp=WORKS),
    "other_port for a while": everybody(HOLDS, story=A_WHILE),
    "zero_port": everybody(WORKS, pmp=GARBLED, any=ELSEWHERE),
    "caps_lifetime": everybody(Works(lifetime=60)),
    "caps_lifetime for a while": everybody(HOLDS, story=CAPPED),
    "success_without_effect": everybody(REFUSED, pmp=NO_READ_BACK, any=whoever_wins(NO_READ_BACK, REFUSED)),
    "zombie_mapping": everybody(LISTED, pmp=NO_READ_BACK),
    "prunes": everybody(HOLDS, story=TEN_MINUTES_EACH),
    "full_table": everybody(Raises(OutOfResources)),
    "high_ports_only": everybody(Raises(NotAuthorized), wish=80),
    "vpn_gateway": everybody(
        Works(lifetime=60), pmp=Works(same=False, lifetime=60), any=Works(same=False, lifetime=60)
    ),
    "vpn_gateway for a while": everybody(HOLDS, story=CAPPED),
}

THE_LINE_AND_THE_CLOCK = {
    "no_wan": everybody(REFUSED),
    "wan_flap": everybody(HOLDS, story=Story(span=170, happenings=((100, becomes()),))),
    "private_wan": everybody(Works(address="192.168.100.2")),
    "cgnat_wan": everybody(Works(address="100.64.1.2")),
    "zero_wan": everybody(Works(address="Refused"), pmp=REFUSED, pmp_given=Works(address="Refused"), any=REFUSED),
    "two_wans": everybody(HOLDS, story=A_WHILE),
    "epoch_reset": everybody(HOLDS, story=A_WHILE),
    "new_control_port_on_reboot": upnp(Holds(A_WHILE.ip_interval), story=Story(happenings=((50, Router.reboot),))),
    "(reboot)": everybody(Holds(A_WHILE.ip_interval), story=Story(happenings=((50, Router.reboot),))),
    "(another address)": everybody(HOLDS, story=Story(happenings=((50, moves),))),
    "(30 s of silence)": everybody(HOLDS, story=Story(span=150, happenings=((50, becomes("silent")), (80, becomes())))),
}

NAT_PMP_AND_PCP = {
    "pmp_result": mapping_protocol(Raises(NotAuthorized), any=WORKS),
    "no_port_zero": mapping_protocol(WORKS, any=WORKS, wish=0),
    "wrong_internal_port": mapping_protocol(GARBLED, any=ELSEWHERE),
    "pcp_result": pcp(),
    "wrong_nonce": pcp(),
    "short_errors": pcp(),
    "zero_error_lifetime": pcp(),
    "extra_option": pcp(),
    "r_bit_in_version_error": pcp(),
}

SEARCHES = {
    "multicast_only": upnp(WORKS),
    "needs_mx": upnp(WORKS),
    "first_match_only": upnp(WORKS),
    "igd_2_only": upnp(WORKS),
    "other_search_port": upnp(WORKS),
    "lowercase_headers": upnp(WORKS),
    "bad_uuid": upnp(WORKS),
    "search_flood": upnp(NO_GATEWAY, given=WORKS),  # no more than a few devices of one host are looked at
    "printer_answers_first": upnp(WORKS),
    "two_gateways": upnp(WORKS),
    "evil_location": upnp(NO_GATEWAY, given=WORKS),
    "null_location": upnp(NO_GATEWAY, given=WORKS),
}

PAGES = {
    "evil_control_url": upnp(NO_GATEWAY, given=GARBLED),
    "redirect": upnp(NO_GATEWAY, given=GARBLED),
    "xml_bomb": upnp(NO_GATEWAY, given=GARBLED),
    "huge_body": upnp(NO_GATEWAY, given=GARBLED),
    "junk_after_xml": upnp(WORKS),
    "no_namespaces": upnp(WORKS),
    "odd_content_type": upnp(WORKS),
    "legacy_service_types": upnp(WORKS, igd2=NotApplicable("the old names are older than IGD:2")),
    "dead_line_first": upnp(WORKS),
    "url_base": upnp(WORKS),
    "double_slash": upnp(WORKS),
    "absolute_control_url": upnp(WORKS),
}

SOAP = {
    "upnp_error": upnp(Raises(Conflict)),
    "upnp_off": upnp(REFUSED),
    "only_permanent": upnp(PERMANENT, igd2=A_WEEK),
    "only_permanent for a while": upnp(HOLDS, story=TEN_MINUTES_EACH),
    "permanent_as_402": upnp(PERMANENT, igd2=A_WEEK),
    "no_infinite": upnp(WORKS),
    "no_refresh": upnp(HOLDS, story=A_WHILE),
    "no_overwrite": upnp(HOLDS, story=A_WHILE),
    "same_port_required": upnp(ELSEWHERE),
    "conflict_as_501 + conflict": upnp(ELSEWHERE),
    "picky_description": upnp(WORKS),
    "secure_mode": upnp(WORKS),
    "throttle": upnp(WORKS),
    "list_ends_with": upnp(WORKS),
    "status_up": upnp(WORKS),
    "nat_said_off": upnp(WORKS),
    "negative_uptime": upnp(HOLDS, story=A_WHILE),
}

PINHOLES = {  # whatever becomes of IPv6, IPv4 works
    "no_pinholes": everybody(WORKS),
    "pinholes_forbidden": everybody(WORKS),
    "firewall_off": everybody(WORKS),
}

ROWS: dict[str, Row] = (
    UNDER_WAY | GRANTED | THE_LINE_AND_THE_CLOCK | NAT_PMP_AND_PCP | SEARCHES | PAGES | SOAP | PINHOLES
)


def quirks_of(name: str) -> Quirks:
    """The router of a row: with all the switches on that its name names."""
    return quirks_from(word for word in name.split() if word in SWITCHES)
