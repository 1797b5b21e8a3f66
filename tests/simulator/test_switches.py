"""The quirks as a list: names, words, values, the table."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from portmap.errors import SpecError
from portmap.simulator.quirk_options import SWITCHES, parse_quirks, table_markdown
from portmap.simulator.quirk_sources import QUIRK_SOURCES
from portmap.testing import Quirks


def test_every_switch_has_its_words_and_its_sighting() -> None:
    assert list(SWITCHES) == list(QUIRK_SOURCES) == [quirk.name for quirk in fields(Quirks)]
    assert all(it.says and it.seen and it.source for it in SWITCHES.values())


def test_the_default_is_a_router_without_a_fault() -> None:
    assert not any(getattr(Quirks(), name) for name in SWITCHES)


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_can_be_on_alone(name: str) -> None:
    quirks = SWITCHES[name].on()
    assert [it for it in SWITCHES if getattr(quirks, it) != getattr(Quirks(), it)] == [name]


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_has_a_test_that_shows_its_effect(name: str) -> None:
    texts = (path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert any(re.search(rf"\b{name}=", text) for text in texts)


@pytest.mark.parametrize(
    ("words", "quirks"),
    [
        ([], Quirks()),
        (["other_port"], Quirks(other_port=True)),
        (["other-port"], Quirks(other_port=True)),
        (["other_port=on", "silent=off"], Quirks(other_port=True)),
        (["loss=0.5", "lost_first"], Quirks(loss=0.5, lost_first=1)),
        (["conflict=80,443"], Quirks(conflict=frozenset({80, 443}))),
        (["caps_lifetime"], Quirks(caps_lifetime=60)),
        (["upnp_error=-911"], Quirks(upnp_error=-911)),
        (["only_ports=80,5000-5002"], Quirks(only_ports=frozenset({80, 5000, 5001, 5002}))),
        (["first_lines=down,ppp:private"], Quirks(first_lines=("down", "ppp:private"))),
        (["odd_xml"], Quirks(odd_xml="latin_1")),
        (["odd_xml=control"], Quirks(odd_xml="control")),
        (["states="], Quirks(states="")),
        (["status=Up"], Quirks(status="Up")),
    ],
)
def test_quirks_are_read_from_words(words: list[str], quirks: Quirks) -> None:
    assert parse_quirks(words) == quirks


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("other_prot", "did you mean other_port"),
        ("", "no quirk"),
        ("silent=maybe", "write silent"),
        ("loss=much", "write loss=0.3"),
        ("loss=-1", "out of range"),
        ("slow=nan", "out of range"),
        ("slow=inf", "out of range"),
        ("lost_first=1.5", "write lost_first=1"),
        ("conflict=80,http", "write conflict="),
        ("conflict=90-80", "write conflict="),
        ("conflict=70000", "write conflict="),
        ("odd_xml=bad", "another of latin_1, ampersand"),
        ("first_lines=down,bad", "write first_lines=down"),
    ],
)
def test_a_word_that_is_no_quirk_says_what_to_write(word: str, hint: str) -> None:
    with pytest.raises(SpecError, match=hint):
        parse_quirks([word])


def test_the_table_has_a_row_for_every_switch() -> None:
    rows = table_markdown().splitlines()
    assert len(rows) == 2 + len(SWITCHES)
    assert all(row.count("|") == 5 for row in rows)


@pytest.mark.parametrize("name", SWITCHES)
def test_the_form_in_the_table_can_be_typed(name: str) -> None:
    form = SWITCHES[name].form.replace("PORT,…", "80")
    assert parse_quirks([form]) != Quirks()
