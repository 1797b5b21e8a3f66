"""The publisher as the core uses it: a spec's argument in, signed text out."""

import importlib.metadata
import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pluggy
import pytest

from portmap.errors import SpecError
from portmap.hookspecs import PROJECT, PUBLISHERS, PublisherSpec
from portmap.node.local_node import LocalNode, Record, Value
from portmap_enr import EnrPublisher, enr
from portmap_enr.identity import Identity, verify

EIP_SECRET = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"  # noqa: S105  # published in EIP-778
EIP_TEXT = (
    "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0"
    "gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)


@pytest.fixture
def publisher(identity: Identity) -> EnrPublisher:
    return EnrPublisher(identity)


def test_the_example_of_eip_778_comes_out_of_its_key_file_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "nodekey").write_text(EIP_SECRET)
    (tmp_path / "nodekey").chmod(0o600)
    node = LocalNode(seq=0)
    node.set_fallback_ip(IPv4Address("127.0.0.1"))
    node.set_fallback_udp(30303)
    node.commit()
    assert EnrPublisher.from_argument(str(tmp_path / "nodekey")).sign_record(node.record) == EIP_TEXT


def test_the_same_key_file_is_the_same_node(tmp_path: Path) -> None:
    name = str(tmp_path / "key")
    assert str(EnrPublisher.from_argument(name)) == str(EnrPublisher.from_argument(name))


@pytest.mark.parametrize("argument", [None, ""])
def test_without_a_key_file_the_remedy_is_named(argument: str | None) -> None:
    with pytest.raises(SpecError, match="write enr:KEYFILE"):
        EnrPublisher.from_argument(argument)


def test_a_bad_key_file_is_known_before_anything_else_happens(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is not a file"):
        EnrPublisher.from_argument(str(tmp_path))


def test_every_kind_of_value_is_told_as_eip_778_wants_it(publisher: EnrPublisher) -> None:
    node = LocalNode(seq=8)
    node.set_static_ip(IPv4Address("1.2.3.4"))
    node.set_static_ip(IPv6Address("2606:4700::1"))
    entries: dict[str, Value] = {"tcp": 30303, "zero": 0, "text": "é", "raw": b"\x00", "eth": ((b"\x01", 5),)}
    for key, value in entries.items():
        node.set(key, value)
    node.commit()
    told = enr.decode(publisher.sign_record(node.record), verify).pairs
    assert (told[b"ip"], told[b"ip6"]) == (bytes([1, 2, 3, 4]), IPv6Address("2606:4700::1").packed)
    assert (told[b"tcp"], told[b"zero"]) == (b"\x76\x5f", b"")
    assert (told[b"text"], told[b"raw"], told[b"eth"]) == ("é".encode(), b"\x00", ((b"\x01", b"\x05"),))


def test_a_record_is_signed_in_the_name_of_its_own_key_only(publisher: EnrPublisher, identity: Identity) -> None:
    record = Record(1, (("id", "v5"), ("secp256k1", bytes(33))))
    told = enr.decode(publisher.sign_record(record), verify).pairs
    assert told == {b"id": b"v4", b"secp256k1": identity.public_key}


def test_the_sequence_number_is_the_records_own(publisher: EnrPublisher) -> None:
    assert enr.decode(publisher.sign_record(Record(1_700_000_000_001)), verify).seq == 1_700_000_000_001


def test_a_record_that_is_too_big_is_the_owners_error(publisher: EnrPublisher) -> None:
    with pytest.raises(SpecError, match="EIP-778 allows 300: delete an entry"):
        publisher.sign_record(Record(1, (("x", bytes(300)),)))


def test_people_see_the_node_id(publisher: EnrPublisher) -> None:
    assert str(publisher) == "ENR a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"


def test_the_hooks_are_those_of_a_publisher(publisher: EnrPublisher) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PublisherSpec)
    manager.register(publisher)
    manager.check_pending()
    assert manager.hook.sign_record(record=Record(1)) == publisher.sign_record(Record(1))


def test_it_is_found_by_its_entry_point() -> None:
    (entry,) = importlib.metadata.entry_points(group=PUBLISHERS, name="enr")
    assert entry.load() is EnrPublisher


def test_a_publisher_that_does_not_sign_imports_no_cryptography() -> None:
    code = "import sys, portmap_enr; print(*{'cryptography', 'Crypto'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
