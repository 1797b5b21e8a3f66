"""What is promised: every quirk of the simulated router, and what each backend makes of it.

Data only. A quirk without a row fails the test. Each word of a row's name that is a quirk is on; what is in brackets
happens while the loop runs, or says which of its protocols the router speaks.
"""

from tests.matrix.events import becomes, moves
from tests.matrix.outcomes import Deceived, Holds, NotApplicable, Raises, Works, one_of
from tests.matrix.rows import (
    NAT_PMP_ONLY,
    ONE_PORT,
    PCP_ONLY,
    Row,
    Story,
    for_all,
    forwarding,
    mapping_protocol,
    pcp,
    translated,
    upnp,
)

from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    OutOfResources,
    Refused,
)
from portmap.simulator.quirk_options import SWITCHES, parse_quirks
from portmap.testing import Quirks, Router

WORKS, ELSEWHERE = Works(), Works(same=False)
HOLDS = Holds()
NO_GATEWAY, TIMEOUT, GARBLED = Raises(NoGateway), Raises(GatewayTimeout), Raises(Garbled)
REFUSED = Raises(Refused)
NO_PUBLIC_ADDRESS = Raises(NoPublicAddress)
PERMANENT, A_WEEK = Works(lifetime=0), Works(lifetime=604800)  # for ever, and what IGD:2 makes of that
A_WHILE = Story()
LONG_LEASES = Story(lease=600)
TWO_CHECKS = Holds(2 * LONG_LEASES.ip_interval)
REBOOT_UNDER_LONG_LEASES = Story(lease=600, happenings=((50, Router.reboot),))
TEN_MINUTES_EACH = Story(span=1300, lease=600, ip_interval=60)
CAPPED = Story(span=300, lease=600, ip_interval=60)
NO_READ_BACK = Deceived("the protocol has no way to read back")
LISTED = Deceived("the router lists it as it should be")
ONE_OF_TWO = Deceived("the second mapping replaces the first")
ADDRESS_UNKNOWN = Works(address="Refused")
NO_ADDRESS_YET = Works(address="NotYet")  # PCP tells it with a mapping only
NOT_TRANSLATED = NotApplicable("on loopback the outer router sees us, where it would see the inner router")
ONE_HOST = NotApplicable("on ::1 there is no multicast")
OLDER_NAMES = NotApplicable("the old names are older than that")
FIRST_ONE = NO_GATEWAY  # the first firewall that is described is believed: its 404 never makes us try the next
NO_PORT_IN_IT = NotApplicable("UPnP names no port when it opens a pinhole")
FIREWALL_ONLY = NotApplicable("UPnP's firewall knows nothing of the line")


UNDER_WAY = {
    "loss": for_all(HOLDS, story=A_WHILE),
    "lost_first": for_all(WORKS),
    "slow": for_all(WORKS, pcp=Works(address="NotYet")),  # the address is asked for aside, and not waited for
    "drip": upnp(NO_GATEWAY, given=TIMEOUT),
    "duplicate": for_all(WORKS),
    "reorder": for_all(WORKS),
    "silent": for_all(NO_GATEWAY, pmp_given=TIMEOUT, pcp_given=TIMEOUT, upnp_given=TIMEOUT),
    "garbage": for_all(NO_GATEWAY, pmp_given=GARBLED, pcp_given=GARBLED, upnp_given=GARBLED),
    "truncated": for_all(NO_GATEWAY, pmp_given=GARBLED, pcp_given=GARBLED, upnp_given=GARBLED),
    "wrong_sender": for_all(  # by IPv6 from another port only, which a search does not mind
        NO_GATEWAY, pmp_given=TIMEOUT, pcp_given=TIMEOUT, upnp_given=WORKS, upnp6=WORKS
    ),
}

GRANTED = {
    "conflict": translated(ELSEWHERE),
    "other_port": translated(ELSEWHERE, upnp=WORKS),
    "other_port for a while": translated(HOLDS, story=A_WHILE),
    "zero_port": for_all(WORKS, pmp=GARBLED, pcp=GARBLED, pcp6=GARBLED, upnp6=NO_PORT_IN_IT),
    "caps_lifetime": for_all(Works(lifetime=60), upnp6=WORKS),  # which says nothing of what was granted
    "caps_lifetime for a while": for_all(
        HOLDS,
        upnp6=Holds(CAPPED.ip_interval + 1),  # UPnP does not tell for how long: every second check opens it again
        story=CAPPED,
    ),
    "success_without_effect": for_all(NO_READ_BACK, upnp=REFUSED, any=one_of(NO_READ_BACK, REFUSED)),
    "zombie_mapping": translated(LISTED, pmp=NO_READ_BACK, pcp=NO_READ_BACK),
    "prunes": for_all(HOLDS, story=TEN_MINUTES_EACH),
    "full_table": for_all(Raises(OutOfResources)),
    "high_ports_only": translated(Raises(NotAuthorized), suggested_port=80),
    "only_ports": translated(ELSEWHERE),
    "one_mapping": mapping_protocol(ONE_OF_TWO, pcp=ONE_OF_TWO, any=ONE_OF_TWO, speaks=NAT_PMP_ONLY),
    "vpn_gateway": translated(Works(same=False, lifetime=60), upnp=Works(lifetime=60)),
    "vpn_gateway for a while": translated(HOLDS, story=CAPPED),
}

THE_LINE_AND_THE_CLOCK = {
    "no_wan": for_all(REFUSED, pmp=NO_PUBLIC_ADDRESS, any=one_of(REFUSED, NO_PUBLIC_ADDRESS), upnp6=FIREWALL_ONLY),
    "wan_flap": for_all(HOLDS, upnp6=FIREWALL_ONLY, story=Story(span=170, happenings=((100, becomes()),))),
    "private_wan": translated(Works(address="192.168.100.2")),
    "cgnat_wan": translated(Works(address="100.64.1.2")),
    "refuses_private": translated(NO_PUBLIC_ADDRESS),
    "refuses_private + cgnat_wan": translated(NO_PUBLIC_ADDRESS),
    "zero_wan": translated(
        Works(address="NoPublicAddress"),
        pmp=REFUSED,
        pmp_given=Works(address="Refused"),
        pcp=GARBLED,
        any=one_of(Works(address="Refused"), Works(address="NoPublicAddress")),
    ),
    "two_wans": translated(HOLDS, story=A_WHILE),
    "epoch_reset": for_all(HOLDS, story=A_WHILE),
    "uptime_epoch (reboot)": mapping_protocol(
        TWO_CHECKS, pcp=TWO_CHECKS, any=TWO_CHECKS, pcp6=TWO_CHECKS, story=REBOOT_UNDER_LONG_LEASES, speaks=ONE_PORT
    ),
    "unix_epoch (reboot)": mapping_protocol(
        TWO_CHECKS, pcp=TWO_CHECKS, any=TWO_CHECKS, story=REBOOT_UNDER_LONG_LEASES, speaks=NAT_PMP_ONLY
    ),
    "no_announcements (reboot)": for_all(Holds(A_WHILE.ip_interval), story=Story(happenings=((50, Router.reboot),))),
    "announces_by_pmp (another address)": translated(HOLDS, story=Story(happenings=((50, moves),))),
    "new_control_port_on_reboot": upnp(Holds(A_WHILE.ip_interval), story=Story(happenings=((50, Router.reboot),))),
    "(reboot)": for_all(Holds(A_WHILE.ip_interval), story=Story(happenings=((50, Router.reboot),))),
    "(another address)": translated(HOLDS, story=Story(happenings=((50, moves),))),
    "(30 s of silence)": for_all(HOLDS, story=Story(span=150, happenings=((50, becomes("silent")), (80, becomes())))),
}

NAT_PMP_AND_PCP = {
    "pmp_result": mapping_protocol(Raises(NotAuthorized), pcp=WORKS, any=WORKS),
    "no_port_zero": mapping_protocol(WORKS, pcp=WORKS, any=WORKS, pcp6=WORKS, suggested_port=0),
    "pcp_no_renewal": pcp(WORKS, any=WORKS),  # the backend checks a renewal in real time, so no story can tell of it
    "short_refusals + pmp_result": mapping_protocol(
        Raises(NotAuthorized), pcp=Raises(NotAuthorized), any=Raises(NotAuthorized), speaks=NAT_PMP_ONLY
    ),
    "taken_is_4 + conflict": mapping_protocol(ELSEWHERE, pcp=ELSEWHERE, any=ELSEWHERE, speaks=NAT_PMP_ONLY),
    "taken_is_4 + only_ports": mapping_protocol(ELSEWHERE, pcp=ELSEWHERE, any=ELSEWHERE, speaks=NAT_PMP_ONLY),
    "delete_by_external_port": mapping_protocol(WORKS, pcp=WORKS, any=WORKS, speaks=NAT_PMP_ONLY),
    "wrong_internal_port": mapping_protocol(GARBLED, pcp=GARBLED, any=WORKS, pcp6=GARBLED),
    "pcp_result": pcp(Raises(NotAuthorized), any=WORKS),
    "pcp_result=12": pcp(REFUSED, any=WORKS),
    "wrong_nonce": pcp(GARBLED, any=WORKS),
    "short_errors + pcp_result": pcp(Raises(NotAuthorized), any=WORKS),
    "zero_error_lifetime + wan_flap": pcp(HOLDS, any=HOLDS, story=Story(span=170, happenings=((100, becomes()),))),
    "extra_option": pcp(WORKS, any=WORKS),
    "r_bit_in_version_error": mapping_protocol(WORKS, pcp=WORKS, any=WORKS, speaks=NAT_PMP_ONLY),
    "(NAT-PMP only)": mapping_protocol(WORKS, pcp=WORKS, any=WORKS, speaks=NAT_PMP_ONLY),
    "(PCP only)": pcp(NO_ADDRESS_YET, any=NO_ADDRESS_YET, pcp6=WORKS, speaks=PCP_ONLY),
}

SEARCHES = {
    "multicast_only": upnp(WORKS, upnp6=ONE_HOST),
    "needs_mx": upnp(WORKS),
    "first_match_only": upnp(WORKS),
    "igd_2_only": upnp(WORKS),
    "other_search_port": upnp(WORKS),
    "lowercase_headers": upnp(WORKS),
    "bad_uuid": upnp(WORKS),
    "search_flood": upnp(NO_GATEWAY, given=WORKS),  # no more than a few devices of one host are looked at
    "printer_answers_first": upnp(WORKS),
    "two_gateways": upnp(WORKS, upnp6=one_of(FIRST_ONE, WORKS, Works(address="NoGateway"))),
    "evil_location": upnp(NO_GATEWAY, given=WORKS),
    "null_location": upnp(WORKS),
    "location_host": upnp(WORKS),
    "location_host=127.0.0.1": upnp(WORKS),
    "strict_igd_1": upnp(WORKS),
}

PAGES = {
    "evil_control_url": upnp(NO_GATEWAY, given=GARBLED),
    "redirect": upnp(NO_GATEWAY, given=GARBLED),
    "xml_bomb": upnp(NO_GATEWAY, given=GARBLED),
    "huge_body": upnp(NO_GATEWAY, given=GARBLED),
    "junk_after_xml": upnp(WORKS),
    "no_namespaces": upnp(WORKS),
    "odd_content_type": upnp(WORKS),
    "legacy_service_types": upnp(WORKS, igd2=OLDER_NAMES, upnp6=OLDER_NAMES),
    "first_lines=down": upnp(WORKS),
    "first_lines=private": upnp(WORKS),
    "first_lines=ppp:cgnat": upnp(WORKS),
    "first_lines=zero": upnp(WORKS),
    "first_lines=empty": upnp(WORKS),
    "first_lines=nonsense": upnp(WORKS),
    "first_lines=denied": upnp(WORKS),
    "first_lines=no_url": upnp(WORKS),
    "first_lines=foreign_url": upnp(WORKS),
    "first_lines=up": upnp(WORKS),
    "first_lines=no_url,down,ppp:private,denied,zero": upnp(WORKS),
    "first_lines=up (the first line goes down)": forwarding(
        Holds(A_WHILE.ip_interval), story=Story(happenings=((50, becomes("first_lines=down")),))
    ),
    "wan_service": upnp(WORKS),
    "wan_service=WANIPConnection:3": upnp(WORKS),
    "wan_service=WANIPConnection": upnp(WORKS),
    "wan_service=wanipconnection:1": upnp(WORKS),
    "odd_types": upnp(WORKS),
    "odd_xml": upnp(WORKS),
    "odd_xml=ampersand": upnp(WORKS),
    "odd_xml=control": upnp(WORKS),
    "odd_xml=encoding": upnp(WORKS),
    "odd_xml=doctype": upnp(WORKS),
    "odd_xml=less_than": upnp(WORKS),
    "odd_xml=unclosed": upnp(WORKS),
    "odd_xml=attributes": upnp(WORKS),
    "url_base": upnp(WORKS),
    "double_slash": upnp(WORKS),
    "absolute_control_url": upnp(WORKS),
}

SOAP = {
    "upnp_error": upnp(Raises(Conflict)),
    "upnp_off": upnp(REFUSED),
    "only_permanent": forwarding(PERMANENT, igd2=A_WEEK, chain=WORKS),  # the inner lease ends
    "only_permanent for a while": forwarding(HOLDS, story=TEN_MINUTES_EACH),
    "permanent_as_402": forwarding(PERMANENT, igd2=A_WEEK, chain=WORKS),
    "no_infinite": forwarding(WORKS),
    "no_refresh": forwarding(HOLDS, story=A_WHILE),
    "no_overwrite": forwarding(HOLDS, story=A_WHILE),
    "same_port_required": forwarding(ELSEWHERE),
    "conflict_as_501 + conflict": forwarding(ELSEWHERE),
    "picky_description": forwarding(WORKS),
    "secure_mode": forwarding(WORKS, chain=NOT_TRANSLATED),
    "throttle": upnp(WORKS),
    "list_ends_with": forwarding(WORKS),
    "add_answer": forwarding(WORKS),
    "add_answer=201": forwarding(WORKS),
    "add_answer=202": forwarding(WORKS),
    "add_answer=204": forwarding(WORKS),
    "add_answer=bare": forwarding(WORKS),
    "add_answer=illegible": forwarding(WORKS),
    "read_back": forwarding(WORKS),
    "read_back=401": forwarding(WORKS),
    "read_back=600": forwarding(WORKS),
    "read_back=606": forwarding(WORKS),
    "read_back=http_404": forwarding(WORKS),
    "read_back=http_500": forwarding(WORKS),
    "read_back=empty": forwarding(WORKS),
    "read_back=zero": forwarding(WORKS),
    "no_list": forwarding(WORKS),
    "no_list + read_back": forwarding(WORKS),
    "no_list + read_back=606": forwarding(WORKS),
    "no_list + read_back=zero": forwarding(WORKS),
    "client_as": forwarding(WORKS),
    "client_as=padded": forwarding(WORKS),
    "client_as=prefix": forwarding(WORKS),
    "client_as=blanks": forwarding(WORKS),
    "bad_rows": forwarding(ELSEWHERE),
    "rubbish_faults + only_permanent": forwarding(PERMANENT, igd2=A_WEEK, chain=WORKS),
    "rubbish_faults + conflict": forwarding(ELSEWHERE),
    "forbidden_as_718 + only_ports": forwarding(ELSEWHERE),
    "forgiving_delete": forwarding(WORKS),
    "status": forwarding(WORKS),
    "status=Unconfigured": forwarding(WORKS),
    "status=connected": forwarding(WORKS),
    "status=Up": forwarding(WORKS),
    "states": forwarding(Works(address="NoPublicAddress")),  # connected, and no address: behind another NAT
    "states=nonsense": forwarding(ADDRESS_UNKNOWN),
    "states= + status=Disconnected": forwarding(ADDRESS_UNKNOWN),
    "nat_said_off": forwarding(WORKS),
    "negative_uptime": forwarding(HOLDS, story=A_WHILE),
}

PINHOLES = {  # whatever becomes of IPv6, IPv4 works
    "no_pinholes": for_all(WORKS, pcp6=Raises(NotAuthorized), upnp6=NO_GATEWAY),
    "pinholes_forbidden": for_all(WORKS, pcp6=Raises(NotAuthorized), upnp6=Raises(NotAuthorized)),
    "firewall_off": for_all(WORKS, upnp6=REFUSED),
}

ROWS: dict[str, Row] = (
    UNDER_WAY | GRANTED | THE_LINE_AND_THE_CLOCK | NAT_PMP_AND_PCP | SEARCHES | PAGES | SOAP | PINHOLES
)


def quirks_of(name: str) -> Quirks:
    """The router of a row: with all the switches on that its name names."""
    return parse_quirks(word for word in name.split() if word.partition("=")[0] in SWITCHES)
