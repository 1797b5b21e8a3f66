import json
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from portmap.errors import Garbled
from portmap.model import Key, Protocol
from portmap.storage.journal import Journal, JournalEntry, from_text, merged, to_text

HERE = "UPnP 192.168.1.1"
TCP = JournalEntry(HERE, Protocol.TCP, 30303, 30304, expires=1000.0)
PERMANENT = JournalEntry(HERE, Protocol.UDP, 30303, 30303, expires=None)


def test_a_journal_reads_as_it_was_written() -> None:
    journal = Journal((TCP, PERMANENT))
    assert from_text(to_text(journal)) == journal


def test_a_mapping_to_another_host_reads_as_it_was_written_and_is_another_one() -> None:
    nas = replace(TCP, host="nas.lan", client=IPv4Address("192.168.1.50"))
    journal = Journal((TCP, nas))
    assert from_text(to_text(journal)) == journal
    assert journal.entry_of(nas.key) == nas
    assert '"host"' not in to_text(Journal((TCP,)))


@pytest.mark.parametrize("fault", [{"client": "nas.lan"}, {"client": 5}, {"host": None}])
def test_a_host_that_makes_no_sense_is_no_journal(fault: dict[str, object]) -> None:
    content = json.loads(to_text(Journal((replace(TCP, host="nas.lan", client=IPv4Address("192.168.1.50")),))))
    content["mappings"][0] |= fault
    with pytest.raises(Garbled):
        from_text(json.dumps(content))


def test_an_empty_journal_reads_as_it_was_written() -> None:
    assert from_text(to_text(Journal())) == Journal()


def test_a_mapping_is_found_by_its_key() -> None:
    assert Journal((PERMANENT, TCP)).entry_of(Key(Protocol.TCP, 30303)) == TCP


def test_a_key_that_is_not_in_the_journal_has_no_entry() -> None:
    assert Journal((TCP,)).entry_of(Key(Protocol.UDP, 30303)) is None


def test_a_lease_that_has_run_out_is_not_alive() -> None:
    assert TCP.may_be_held(999.0)
    assert not TCP.may_be_held(1000.0)


def test_a_permanent_mapping_is_alive_for_ever() -> None:
    assert PERMANENT.may_be_held(1e12)


def test_a_mapping_that_was_deleted_is_not_alive() -> None:
    assert not JournalEntry(HERE, Protocol.TCP, 1, 1, None, held=False).may_be_held(0.0)


def test_of_two_journals_the_later_ones_word_counts() -> None:
    later = JournalEntry(HERE, Protocol.TCP, 30303, 40000, expires=2000.0)
    assert merged([Journal((TCP, PERMANENT)), Journal((later,))]) == Journal((later, PERMANENT))


def test_a_mapping_whose_gateway_needs_no_internal_port_is_remembered() -> None:
    journal = Journal((JournalEntry(HERE, Protocol.UDP, 0, 40000, expires=1000.0),))
    assert from_text(to_text(journal)) == journal


def test_the_internal_port_that_the_gateway_knows_is_remembered() -> None:
    moved = JournalEntry(HERE, Protocol.TCP, 6881, 40000, expires=1000.0, inner_port=40000)
    assert moved.target_port == 40000
    assert from_text(to_text(Journal((moved,)))).entries == (moved,)


def test_the_backend_that_opened_a_mapping_is_remembered_where_it_is_to_close_it() -> None:
    opened = JournalEntry(HERE, Protocol.TCP, 8080, 8080, expires=1000.0, spec="upnp:http://192.168.1.1/", ipv6=True)
    text = to_text(Journal((opened, TCP)))
    assert from_text(text).entries == (opened, TCP)
    assert text.count('"spec"') == text.count('"ipv6"') == 1  # a session's own journal repeats no argument


def test_a_journal_of_before_leads_where_its_keys_say() -> None:
    (entry,) = from_text(json.dumps({"v": 1, "mappings": [row(internal_port=6881)]})).entries
    assert (entry.inner_port, entry.target_port) == (0, 6881)


def row(**changes: object) -> dict[str, object]:
    good = {"gateway": "here", "protocol": "TCP", "internal_port": 1, "external_port": 1, "expires": 5, "held": True}
    return good | changes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"v": 2, "mappings": []}',
        '{"v": 1, "mappings": 5}',
        '{"v": 1, "mappings": [5]}',
        '{"v": 1, "mappings": [{}]}',
        "[" * 100_000,
        *(
            json.dumps({"v": 1, "mappings": [row(**change)]})
            for change in (
                {"gateway": 5},
                {"protocol": "SCTP"},
                {"internal_port": -1},
                {"internal_port": True},
                {"internal_port": "80"},
                {"external_port": 65536},
                {"expires": "soon"},
                {"expires": float("inf")},
                {"expires": float("nan")},
                {"expires": True},
                {"held": 1},
                {"inner_port": 65536},
                {"inner_port": None},
            )
        ),
    ],
)
def test_whatever_is_no_journal_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        from_text(text)
