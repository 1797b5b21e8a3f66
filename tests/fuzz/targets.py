"""What is fuzzed: every parser of network messages, files and user input, as data.

A target takes any bytes up to its `limit`, the most that its caller lets in. It returns, or raises one of its
`allowed` errors; whatever else it raises is a bug, an AssertionError too: where a parser says yes, the target checks
what that yes promises. `seeds` are good inputs to begin from, `words` the pieces that the format gives meaning to.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.fuzz import (
    doctor,
    enr,
    files,
    host,
    natpmp,
    pcp,
    publishers,
    responder,
    router,
    seeds,
    stun,
    upnp,
    upnp6,
    user,
)

from portmap.errors import Garbled, NoGateway, PortmapError, Refused, SpecError
from portmap_enr.enr import MAX_SIZE
from portmap_upnp.control.soap_client import REPLY_LIMIT
from portmap_upnp.discovery.discover import DESCRIPTION_LIMIT

Feed = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Target:
    """One parser. See the module's docstring."""

    name: str
    feed: Feed
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    allowed: tuple[type[PortmapError], ...] = (Garbled,)
    limit: int = 4096

    def try_out(self, data: bytes) -> None:
        """Feed it; an allowed error is a good answer."""
        with suppress(*self.allowed):
            self.feed(data[: self.limit])


TARGETS = (
    Target("natpmp-address", natpmp.address, natpmp.SEEDS, natpmp.WORDS, limit=1100),
    Target("natpmp-mapping", natpmp.mapping, natpmp.SEEDS, natpmp.WORDS, limit=1100),
    Target("natpmp-announcement", natpmp.announcement, natpmp.ANNOUNCEMENTS, natpmp.WORDS, limit=1100),
    Target("pcp-announce", pcp.announced, pcp.SEEDS, pcp.WORDS, limit=pcp.LIMIT),
    Target("pcp-map", pcp.mapped, pcp.SEEDS, pcp.WORDS, limit=pcp.LIMIT),
    Target("pcp-options", pcp.options, tuple(seed[60:] for seed in pcp.SEEDS), pcp.WORDS, limit=pcp.LIMIT),
    Target("pcp-announcement", pcp.announcement, pcp.SEEDS, pcp.WORDS, limit=pcp.LIMIT),
    Target("pcp-stated", pcp.stated, pcp.STATED, pcp.WORDS, limit=pcp.LIMIT),
    Target("ssdp", upnp.ssdp_answer, seeds.SEARCH_ANSWERS, seeds.HEADER_WORDS, limit=upnp.SSDP_LIMIT),
    Target("ssdp-notice", upnp.ssdp_notice, seeds.NOTICES, seeds.HEADER_WORDS, limit=upnp.SSDP_LIMIT),
    Target("gena-subscription", upnp.subscription, seeds.SUBSCRIPTIONS, seeds.HEADER_WORDS),
    Target("gena-event", upnp.event, seeds.EVENTS, (*seeds.HEADER_WORDS, *seeds.XML_WORDS), limit=REPLY_LIMIT),
    Target("location", upnp.location, seeds.URLS, seeds.URL_WORDS),
    Target("control-url", upnp.control_url, seeds.CONTROL_URLS, seeds.URL_WORDS, limit=DESCRIPTION_LIMIT),
    Target("description", upnp.device_description, seeds.DESCRIPTIONS, seeds.XML_WORDS, limit=DESCRIPTION_LIMIT),
    Target("soap", upnp.soap_reply, seeds.REPLIES, seeds.XML_WORDS, (Garbled, Refused, NoGateway), REPLY_LIMIT),
    Target("http", upnp.http_response, seeds.RESPONSES, seeds.HTTP_WORDS, (Garbled, NoGateway), upnp.HTTP_LIMIT),
    Target("external-ip", upnp.external_ip, user.ADDRESSES, user.ADDRESS_WORDS, (Garbled, Refused)),
    Target("ssdp6", upnp6.search_answer, upnp6.ANSWERS, seeds.HEADER_WORDS, limit=upnp.SSDP_LIMIT),
    Target("location6", upnp6.location, upnp6.URLS, upnp6.URL_WORDS),
    Target("control-url6", upnp6.control_url, upnp6.CONTROL_URLS, upnp6.URL_WORDS, limit=DESCRIPTION_LIMIT),
    Target("description6", upnp6.description, upnp6.DESCRIPTIONS, upnp6.DESCRIPTION_WORDS, limit=DESCRIPTION_LIMIT),
    Target("pinhole", upnp6.reply, upnp6.REPLIES, upnp6.REPLY_WORDS, (Garbled, Refused, NoGateway), REPLY_LIMIT),
    Target("rlp", enr.rlp_item, enr.RECORDS, enr.WORDS, limit=MAX_SIZE),
    Target("enr", enr.record, enr.RECORDS, enr.WORDS, limit=MAX_SIZE),
    Target("enr-text", enr.text, enr.TEXTS, enr.TEXT_WORDS),
    Target("key-file", enr.key_file, enr.KEY_FILES, user.NUMBERS, (SpecError,), limit=1024),
    Target("routes", user.routes, user.ROUTES, user.ROUTE_WORDS, limit=16 * 1024),
    Target("spec", user.spec, user.SPECS, user.WORDS, (SpecError,)),
    Target("backend-spec", user.backend_spec, user.BACKEND_SPECS, user.BACKEND_WORDS, (SpecError,)),
    Target("mapping", user.mapping, user.MAPPINGS, user.WORDS, (SpecError,)),
    Target("duration", user.duration, user.DURATIONS, user.WORDS, (SpecError,)),
    Target("pmp-argument", user.pmp_argument, user.ADDRESSES, user.ADDRESS_WORDS, (SpecError,)),
    Target("extip-argument", user.extip_argument, user.ADDRESSES, user.ADDRESS_WORDS, (SpecError,)),
    Target("site-url", publishers.site_url, publishers.URLS, publishers.URL_WORDS, (SpecError,)),
    Target("site-answer", publishers.site_answer, seeds.RESPONSES, seeds.HTTP_WORDS, ()),
    Target("stun", stun.answer, stun.ANSWERS, stun.ANSWER_WORDS, limit=stun.LIMIT),
    Target("stun-argument", stun.argument, stun.ARGUMENTS, stun.ARGUMENT_WORDS, (SpecError,)),
    Target("punch-argument", stun.punch_argument, stun.PUNCH_ARGUMENTS, stun.ARGUMENT_WORDS, (SpecError,)),
    Target("echo-request", responder.request, responder.REQUESTS, responder.REQUEST_WORDS, (), responder.LIMIT),
    Target("echo-answer", responder.answer, responder.ANSWERS, responder.ANSWER_WORDS, ()),
    Target("claim-question", host.claim_question, host.QUESTIONS, host.QUESTION_WORDS, (), host.MESSAGE_LIMIT),
    Target("claim-answer", host.claim_answer, host.ANSWERS, host.ANSWER_WORDS, (), host.MESSAGE_LIMIT),
    Target("unix-sockets", host.unix_sockets, host.SOCKETS, host.SOCKET_WORDS, (), host.TABLE_LIMIT),
    Target("socket-table", host.socket_table, host.TABLES, host.TABLE_WORDS, (), host.TABLE_LIMIT),
    Target("metrics-request", host.metrics_request, host.REQUESTS, host.REQUEST_WORDS, (), host.REQUEST_LIMIT),
    Target("proof", host.proof, host.PROOFS, host.PROOF_WORDS, (SpecError,)),
    Target("firewall", doctor.rules, doctor.RULES, doctor.RULE_WORDS, (), doctor.LIMIT),
    Target("capture", doctor.capture, doctor.CAPTURES, doctor.CAPTURE_WORDS, (SpecError,), doctor.LIMIT),
    Target("pcp-argument", pcp.argument, pcp.ARGUMENTS, user.ADDRESS_WORDS, (SpecError,)),
    Target("pcp-token", pcp.token, pcp.TOKENS, pcp.TOKEN_WORDS, ()),
    Target("hint", files.hint, files.HINTS, user.ADDRESS_WORDS, ()),
    Target("journal", files.saved_journal, files.JOURNALS, files.JOURNAL_WORDS, limit=files.LIMIT),
    Target("notice", files.posted_notice, files.NOTICES, files.NOTICE_WORDS, limit=files.LIMIT),
    Target("config", files.config, files.CONFIGS, files.CONFIG_WORDS, (SpecError,), files.LIMIT),
    Target("upnp6-argument", upnp6.argument, upnp6.URLS, upnp6.URL_WORDS, (SpecError,)),
    Target("upnp-argument", user.upnp_argument, seeds.URLS, seeds.URL_WORDS, (SpecError,)),
    Target("router-natpmp", router.datagram, router.DATAGRAMS, natpmp.WORDS, limit=1100),
    Target("router-pcp", router.pcp, router.PCP_DATAGRAMS, router.PCP_WORDS, limit=1200),
    Target("router-ssdp", router.search, router.SEARCHES, seeds.HEADER_WORDS),
    Target("router-http", router.request, router.REQUESTS, (*seeds.HTTP_WORDS, *seeds.XML_WORDS), (), router.LIMIT),
)
BY_NAME = {target.name: target for target in TARGETS}
