"""The verdict on a port: what was seen in, one word out."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from portmap.model import Protocol
from portmap.reachability.observations import HairpinResult, Listens, Observations, Word
from portmap.reachability.verdict import Blame, Verdict, judge

PUBLIC, OTHER, PRIVATE, CGNAT = map(IPv4Address, ("11.22.33.1", "12.34.56.1", "192.168.1.2", "100.64.1.1"))
SEEN = Observations(Protocol.TCP, 25565, 25565, PUBLIC, Listens.YES, "java (1)")
UDP = replace(SEEN, protocol=Protocol.UDP)
YES, NO = Word(PUBLIC, reachable=True, ms=31), Word(PUBLIC, reachable=False)
SENT = Word(PUBLIC)
LOOPS, NO_LOOP = HairpinResult(proved=True, ms=2), HairpinResult(proved=False, detail="no connection")


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (replace(SEEN, word=YES), Verdict.OPEN),
        (replace(SEEN, word=YES, hairpin=NO_LOOP), Verdict.OPEN),  # a failed loop proves nothing
        (replace(SEEN, listens=Listens.UNKNOWN, word=YES), Verdict.OPEN),
        (replace(SEEN, external_ip=None, word=YES), Verdict.OPEN),  # the gateway is silent, the responder is not
        (replace(SEEN, hairpin=LOOPS), Verdict.OPEN),
        (replace(SEEN, hairpin=LOOPS, word=Word(error="no answer")), Verdict.OPEN),
        (replace(UDP, listens=Listens.NO, we_listened=True, word=YES), Verdict.OPEN),
        (replace(UDP, listens=Listens.NO, we_listened=True, hairpin=LOOPS), Verdict.OPEN),
        (replace(SEEN, word=NO), Verdict.CLOSED),
        (replace(SEEN, word=NO, hairpin=LOOPS), Verdict.CLOSED),
        (replace(SEEN, listens=Listens.NO, we_listened=True, word=YES), Verdict.CLOSED),
        (replace(SEEN, listens=Listens.NO), Verdict.CLOSED),
        (replace(SEEN, listens=Listens.NO, we_listened=True), Verdict.CLOSED),
        (replace(SEEN, listens=Listens.LOOPBACK_ONLY, word=YES), Verdict.CLOSED),
        (replace(UDP, listens=Listens.NO, we_listened=True, word=NO), Verdict.CLOSED),
        (replace(SEEN), Verdict.UNKNOWN),
        (replace(SEEN, hairpin=NO_LOOP), Verdict.UNKNOWN),
        (replace(SEEN, word=Word(error="no answer")), Verdict.UNKNOWN),
        (replace(UDP, word=SENT), Verdict.UNKNOWN),
        (replace(UDP, listens=Listens.NO), Verdict.UNKNOWN),
        (replace(SEEN, external_ip=PRIVATE, hairpin=LOOPS), Verdict.UNKNOWN),
        (replace(SEEN, external_ip=CGNAT, hairpin=LOOPS), Verdict.UNKNOWN),
    ],
)
def test_a_port_is_open_or_closed_only_where_that_was_seen(seen: Observations, verdict: Verdict) -> None:
    assert judge(seen).verdict is verdict


@pytest.mark.parametrize("word", [replace(YES, address=OTHER), replace(NO, address=OTHER)])
def test_the_word_on_another_address_than_the_mappings_proves_nothing(word: Word) -> None:
    found = judge(replace(SEEN, word=word))
    assert found.verdict is Verdict.UNKNOWN
    assert "sees this host at 12.34.56.1, but the gateway maps at 11.22.33.1" in found.reason


@pytest.mark.parametrize("ours", [PUBLIC, PRIVATE, CGNAT])
@pytest.mark.parametrize("reachable", [True, False])
def test_the_word_over_another_ip_version_than_the_mappings_proves_nothing(ours: IPv4Address, reachable: bool) -> None:
    word = Word(IPv6Address("2001:db8::1"), reachable)
    found = judge(replace(SEEN, external_ip=ours, word=word))
    assert found.verdict is Verdict.UNKNOWN
    assert "sees this host at 2001:db8::1, but the port is at" in found.reason


NEIGHBOUR = "192.168.1.77:25565"


@pytest.mark.parametrize("word", [None, YES, NO, Word(error="no answer")])
def test_a_port_that_leads_to_another_host_by_the_table_is_closed_by_the_router(word: Word | None) -> None:
    found = judge(replace(SEEN, leads_to=NEIGHBOUR, word=word))
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.ROUTER)
    assert "forwards TCP port 25565 to 192.168.1.77:25565" in found.reason


@pytest.mark.parametrize(
    "seen", [replace(SEEN, hairpin=LOOPS), replace(UDP, listens=Listens.NO, we_listened=True, word=YES)]
)
def test_what_arrived_here_outweighs_the_table(seen: Observations) -> None:
    assert judge(replace(seen, leads_to=NEIGHBOUR)).verdict is Verdict.OPEN


def test_what_answers_and_is_not_this_host_makes_no_port_of_this_host_open() -> None:
    found = judge(replace(SEEN, listens=Listens.NO, we_listened=True, word=replace(YES, elsewhere=True)))
    assert found.verdict is Verdict.UNKNOWN
    assert "it was not this host" in found.reason
    assert found.steps[-1] == "from outside: something answers, but not this host"


def test_an_answer_where_no_program_listens_and_portmap_could_not_either_is_not_this_hosts() -> None:
    found = judge(replace(SEEN, listens=Listens.NO, word=YES))
    assert found.verdict is Verdict.UNKNOWN
    assert "something answers at TCP port 25565, but no program is seen to listen on this host" in found.reason


def test_where_portmaps_relay_alone_answers_the_program_is_missing() -> None:
    found = judge(replace(SEEN, listens=Listens.NO, relayed=True, word=YES))
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.HOST)


@pytest.mark.parametrize(
    ("seen", "is_told"),
    [
        (replace(SEEN, word=YES), True),
        (replace(SEEN, word=YES, hairpin=NO_LOOP), True),
        (replace(SEEN, word=YES, hairpin=LOOPS), False),
        (replace(UDP, listens=Listens.NO, we_listened=True, word=YES), False),
    ],
)
def test_an_answer_from_a_port_that_may_lead_to_another_host_is_told_to_be_no_proof(
    seen: Observations, is_told: bool
) -> None:
    found = judge(replace(seen, target_unknown=True))
    assert found.verdict is Verdict.OPEN
    assert ("is not proved, as the gateway does not tell where the port leads" in found.reason) is is_told


ELSEWHERE = replace(SEEN, listens=Listens.ELSEWHERE, listens_at=(OTHER,), client=PRIVATE)


def test_a_program_at_another_address_than_the_port_leads_to_is_why_nothing_is_reached() -> None:
    found = judge(replace(ELSEWHERE, word=NO))
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.HOST)
    assert "java (1) listens on 12.34.56.1 only, but the port leads to 192.168.1.2" in found.reason


@pytest.mark.parametrize("seen", [ELSEWHERE, replace(ELSEWHERE, protocol=Protocol.UDP, word=SENT)])
def test_a_program_at_another_address_is_told_where_nothing_can_be_measured(seen: Observations) -> None:
    found = judge(seen)
    assert found.verdict is Verdict.UNKNOWN
    assert "listens on 12.34.56.1 only" in found.reason


def test_a_program_at_another_address_that_is_reached_all_the_same_is_open() -> None:
    assert judge(replace(ELSEWHERE, word=YES)).verdict is Verdict.OPEN


def test_where_nothing_arrives_a_firewall_of_this_host_may_be_why() -> None:
    found = judge(replace(SEEN, word=NO))
    assert "a firewall on this host drops it" in found.reason
    assert "this host's firewall" in found.by


@pytest.mark.parametrize("inner", [PRIVATE, CGNAT])
def test_behind_two_nats_the_responders_address_is_the_one_that_matters(inner: IPv4Address) -> None:
    found = judge(replace(SEEN, external_ip=inner, word=YES))
    assert (found.verdict, found.external_ip) == (Verdict.OPEN, PUBLIC)


@pytest.mark.parametrize(
    ("seen", "by"),
    [
        (replace(SEEN, word=NO, hairpin=LOOPS), Blame.PROVIDER),
        (replace(SEEN, word=NO, hairpin=NO_LOOP), Blame.ON_THE_WAY),
        (replace(SEEN, listens=Listens.NO), Blame.HOST),
        (replace(SEEN, listens=Listens.NO, word=NO), Blame.HOST),
        (replace(SEEN, listens=Listens.LOOPBACK_ONLY), Blame.HOST),
        (replace(SEEN, listens=Listens.NO, we_listened=True, word=NO), Blame.ON_THE_WAY),
    ],
)
def test_a_closed_port_names_what_closes_it(seen: Observations, by: Blame) -> None:
    assert judge(seen).by == by


def test_where_no_program_takes_tcp_but_the_way_is_free_both_are_told() -> None:
    found = judge(replace(SEEN, listens=Listens.NO, we_listened=True, word=YES))
    assert "nothing listens on TCP port 25565 here" in found.reason
    assert "The way is free" in found.reason


def test_the_steps_are_told_in_the_order_in_which_they_were_run() -> None:
    found = judge(replace(SEEN, hairpin=NO_LOOP, word=YES))
    assert [step.partition(":")[0] for step in found.steps] == [
        "listens here",
        "from inside through the router",
        "from outside",
    ]


def test_json_leaves_out_what_has_no_value() -> None:
    assert judge(SEEN).to_dict() == {
        "protocol": "TCP",
        "internal_port": 25565,
        "external_port": 25565,
        "external_ip": "11.22.33.1",
        "verdict": "unknown",
        "reason": "no responder outside was named",
        "steps": ["listens here: java (1)"],
    }
