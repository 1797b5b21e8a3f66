"""What a portmap holds is known to the other portmaps of the host; what another user claims has little effect."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Collection

import pytest
from tests.host.conftest import OTHER_GATEWAY, WEB, Make, answering

from portmap.host.claims import Claim, PortClaims
from portmap.host.neighbours import Mailbox, Message, Neighbours, Sender
from portmap.model import Protocol

pytestmark = pytest.mark.usefixtures("among_ourselves")


def until(holds: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(holds())


def test_another_portmap_is_known_with_its_process_port_and_token(make: Make) -> None:
    make().add(WEB)
    other = make().other_holder(WEB)
    assert other is not None
    assert (other.sender.uid, other.external_port, other.token) == (os.geteuid(), 443, "00ff")
    if sys.platform == "linux":
        assert str(other) == "another session of this process"


def test_our_own_claim_is_no_other_holder(make: Make) -> None:
    claims = make()
    claims.add(WEB)
    assert claims.other_holder(WEB) is None


@pytest.mark.parametrize(
    "claim",
    [
        OTHER_GATEWAY,
        Claim(WEB.gateway, Protocol.UDP, 8080, 443),
        Claim(WEB.gateway, Protocol.TCP, 8081, 443),
        Claim(WEB.gateway, Protocol.TCP, 8080, 444),
        Claim("", Protocol.TCP, 8080, 443),
    ],
    ids=["gateway", "protocol", "internal port", "external port", "no address"],
)
def test_another_mapping_is_not_the_same(make: Make, claim: Claim) -> None:
    make().add(WEB)
    assert make().other_holder(claim) is None


def test_a_port_that_is_only_asked_for_counts_as_held(make: Make) -> None:
    make().add(Claim(WEB.gateway, WEB.protocol, WEB.internal_port))
    assert make().other_holder(WEB) is not None


def test_a_released_port_is_held_no_more(make: Make) -> None:
    claims = make()
    claims.add(WEB)
    assert claims.remove(WEB.key) == WEB
    assert make().other_holder(WEB) is None


def test_with_the_last_claim_the_thread_ends(make: Make) -> None:
    before = set(threading.enumerate())
    claims = make()
    claims.add(WEB)
    claims.add(Claim(WEB.gateway, Protocol.UDP, 8080))
    claims.remove(WEB.key)
    assert len(set(threading.enumerate()) - before) == 1
    claims.close()
    assert set(threading.enumerate()) <= before  # threads of earlier tests may end meanwhile


def test_a_release_is_told_to_the_other_holders_of_the_port(make: Make) -> None:
    heard: list[str] = []
    holder, deaf = make(), make()
    holder.add(WEB)
    holder.watch(heard.append)
    deaf.add(OTHER_GATEWAY)
    deaf.watch(pytest.fail)
    make().tell_released(WEB)
    assert until(lambda: heard)
    assert heard == ["another portmap has let go of TCP 8080"]


def test_another_user_is_heeded_only_once_in_a_while_and_told_no_token(make: Make) -> None:
    heard: list[str] = []
    holder = make()
    holder.add(WEB)
    holder.watch(heard.append)
    mailbox = Mailbox(listed=False)
    other_user = Sender(1, os.geteuid() + 1)
    for _ in range(100):
        released = json.dumps(["released", WEB.gateway, "TCP", 8080, ""]).encode()
        holder._handle(Message(released, other_user, mailbox.address), mailbox)
    question = json.dumps(["holds", WEB.gateway, "TCP", 8080, ""]).encode()
    holder._handle(Message(question, other_user, mailbox.address), mailbox)
    answer = mailbox.receive(5)
    mailbox.close()
    assert len(heard) == 1
    assert answer is not None
    assert json.loads(answer.text) == [443, ""]


class Scripted(Neighbours):
    """Others who answer at once, each as told."""

    def __init__(self, *answers: tuple[Sender, bytes]) -> None:
        super().__init__()
        self._messages = [Message(text, sender, "\0x") for sender, text in answers]

    def ask(self, text: bytes, own: Collection[str] = ()) -> list[Message]:
        return self._messages


OTHER_USER, OURSELVES = Sender(1, os.geteuid() + 1), Sender(2, os.geteuid())


@pytest.mark.parametrize(("sender", "token"), [(OURSELVES, "00ff"), (Sender(3, 0), "00ff"), (OTHER_USER, "")])
def test_a_token_is_taken_from_our_own_user_and_root_only(sender: Sender, token: str) -> None:
    holder = PortClaims(Scripted((sender, b'[443, "00ff"]'))).other_holder(WEB)
    assert holder is not None
    assert holder.token == token


def test_our_own_user_is_preferred_to_another_that_claims_the_same_port() -> None:
    others = Scripted((OTHER_USER, b'[443, ""]'), (OURSELVES, b'[443, "00ff"]'), (OTHER_USER, b'[443, ""]'))
    holder = PortClaims(others).other_holder(WEB)
    assert holder is not None
    assert holder.sender == OURSELVES


def test_a_holder_that_knows_the_token_is_preferred_to_one_whose_protocol_has_none() -> None:
    others = Scripted((Sender(7, 0), b'[443, ""]'), (OURSELVES, b'[443, "00ff"]'))
    holder = PortClaims(others).other_holder(WEB)
    assert holder is not None
    assert holder.sender == OURSELVES


@pytest.mark.parametrize(
    "nonsense",
    [
        b"{",
        b"\xff",
        b"[]",
        b'["holds"]',
        b'["holds", 1, 2, 3, ""]',
        b'["holds", "x", "TCP", 1e999, ""]',
        b'["holds", "x", [], {}, ""]',
        b"[" * 900,
        b'{"a": 1, "b": 2, "c": 3, "d": 4}',
    ],
)
def test_nonsense_is_passed_over(make: Make, nonsense: bytes) -> None:
    make().add(WEB)
    Neighbours().tell(nonsense)
    assert make().other_holder(WEB) is not None


@pytest.mark.parametrize("answer", [b"{", b"[]", b"[70000, '']", b'["443", ""]', b"[443, 5]", b"[443]", b"5", b"\xff"])
def test_an_answer_that_makes_no_sense_is_no_claim(make: Make, answer: bytes) -> None:
    with answering(answer):
        found = make().other_holder(OTHER_GATEWAY)
    assert found is None


class Flood(Mailbox):
    """A mailbox that never empties: there is always another message of this sender."""

    def __init__(self, uid: int) -> None:
        super().__init__(listed=False)
        self.read = 0
        self.over = time.monotonic() + 0.5
        self._sender = Sender(1, uid)

    def receive(self, seconds: float | None) -> Message | None:
        self.read += 1
        if time.monotonic() >= self.over:
            raise OSError("the flood is over")
        return Message(b"[]", self._sender, self.address)


@pytest.mark.parametrize(("uid", "most"), [(os.geteuid() + 1, 110), (os.geteuid(), 10_000_000)], ids=["other", "ours"])
def test_a_flood_of_another_users_messages_costs_little(make: Make, uid: int, most: int) -> None:
    claims, flood = make(), Flood(uid)
    claims._mailbox = flood
    claims._serve(flood)
    claims._mailbox = None
    assert 20 < flood.read <= most
