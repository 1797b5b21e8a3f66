"""What a portmap holds is known to the other portmaps of the host; what another user claims has little effect."""

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from portmap.host import neighbours
from portmap.host.claims import Claim, PortClaims
from portmap.host.neighbours import Mailbox, Message, Neighbours, Sender
from portmap.model import Protocol

Make = Callable[[], PortClaims]
SECOND, THIRD = os.urandom(2)  # of an address that no other test run claims
WEB = Claim(f"127.{SECOND}.{THIRD}.1", Protocol.TCP, 8080, 443, "pcp 00ff", permanent=False)
OTHER_GATEWAY = Claim(f"127.{SECOND}.{THIRD}.2", Protocol.TCP, 8080, 443)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the sockets are files of our own user")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")


@pytest.fixture
def make() -> Iterator[Make]:
    with ExitStack() as stack:

        def claims() -> PortClaims:
            made = PortClaims()
            stack.callback(made.close)
            return made

        yield claims


@pytest.fixture(autouse=True)
def _among_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only sockets of this process are asked: other tests of this host have some that never answer."""
    listed = neighbours.listed_sockets
    monkeypatch.setattr(neighbours, "listed_sockets", lambda: [it for it in listed() if f"-{os.getpid()}-" in it])


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
    before = threading.active_count()
    claims = make()
    claims.add(WEB)
    claims.add(Claim(WEB.gateway, Protocol.UDP, 8080))
    claims.remove(WEB.key)
    assert threading.active_count() == before + 1
    claims.close()
    assert threading.active_count() == before


@on_linux
def test_a_question_from_a_socket_in_the_file_system_gets_no_answer_for_a_link_may_have_taken_its_place(
    make: Make, tmp_path: Path
) -> None:
    claims = make()
    claims.add(WEB)
    (claimed,) = neighbours.listed_sockets()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as theirs, closing(Mailbox(listed=False)) as ours:
        theirs.bind(str(tmp_path / "asks"))
        theirs.settimeout(0.2)
        question = json.dumps(["holds", WEB.gateway, WEB.protocol, WEB.internal_port, ""]).encode()
        theirs.sendto(question, claimed)
        with pytest.raises(TimeoutError):
            theirs.recv(100)
        ours.send(question, claimed)
        assert ours.receive(5) is not None


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


def test_another_user_is_named_as_such() -> None:
    sender = Sender(12, os.geteuid() + 1)
    assert not sender.is_trusted
    assert not Sender(0, None).is_trusted
    assert Sender(12, 0).is_trusted


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
    mailbox = Mailbox(listed=True)

    def serve() -> None:
        while (question := mailbox.receive(5)) and question.text != b"end":
            mailbox.send(answer, question.address)

    thread = threading.Thread(target=serve)
    thread.start()
    found = make().other_holder(OTHER_GATEWAY)
    Neighbours().tell(b"end")
    thread.join(10)
    mailbox.close()
    assert found is None


class FloodedMailbox(Mailbox):
    """One to which another user writes faster than it is read, for five seconds."""

    def __init__(self, *, listed: bool) -> None:
        super().__init__(listed=listed)
        self._until = time.monotonic() + 5

    def receive(self, seconds: float | None) -> Message | None:
        if time.monotonic() > self._until:
            return None
        return Message(b'[443, ""]', Sender(1, os.geteuid() + 1), "\0whoever")


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


def test_a_flood_of_messages_delays_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "Mailbox", FloodedMailbox)
    silent = Mailbox(listed=True)
    began = time.monotonic()
    Neighbours().ask(b"hello")
    took = time.monotonic() - began
    silent.close()
    assert took < 2


def test_an_answer_that_waits_when_the_time_is_over_counts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "TIMEOUT", 0.0)
    monkeypatch.setattr(neighbours, "Mailbox", LateMailbox)
    make().add(WEB)
    assert make().other_holder(WEB) is not None


class LateMailbox(Mailbox):
    """One whose owner is late, as on a busy host: what has been sent to it waits there."""

    def receive(self, seconds: float | None) -> Message | None:
        time.sleep(0.05)
        return super().receive(seconds)


def test_what_another_socket_answers_than_those_that_were_asked_does_not_count(make: Make) -> None:
    asked, other_user = Mailbox(listed=True), Mailbox(listed=False)

    def serve() -> None:
        while (question := asked.receive(5)) and question.text != b"end":
            other_user.send(b'[443, ""]', question.address)

    thread = threading.Thread(target=serve)
    thread.start()
    found = make().other_holder(OTHER_GATEWAY)
    Neighbours().tell(b"end")
    thread.join(10)
    asked.close()
    other_user.close()
    assert found is None


def test_of_very_many_sockets_only_some_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST", 3)
    with ExitStack() as stack:
        mailboxes = [Mailbox(listed=True) for _ in range(6)]
        for mailbox in mailboxes:
            stack.callback(mailbox.close)
        Neighbours().tell(b"hello")
        assert sum(mailbox.receive(0) is not None for mailbox in mailboxes) == 3


@on_linux
def test_a_socket_is_known_by_its_whole_name() -> None:
    # By a name with a blank in it another user could have us, who may be root, write to any socket of this host.
    table = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00000000 0002 01   561 @portmap-claims-12-00ff
0000000000000000: 00000002 00000000 00000000 0002 01 20562 @portmap-claims-12 @precious
0000000000000000: 00000002 00000000 00000000 0002 01 20563 /run/portmap-claims-12
0000000000000000: 00000002 00000000 00000000 0002 01 20564 @precious
0000000000000000: 00000002 00000000 00000000 0002 01 20565
"""
    assert neighbours.parse_sockets(table) == ["\0portmap-claims-12-00ff"]


@on_linux
def test_sockets_that_are_gone_are_forgotten() -> None:
    asking = Neighbours()
    for _ in range(3):
        silent = Mailbox(listed=True)
        asking.ask(b"hello")
        silent.close()
    asking.ask(b"hello")
    assert not [address for address in asking._silent if f"-{os.getpid()}-" in address]


@as_root
def test_a_folder_of_another_user_is_not_used_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / f"portmap-{os.getuid()}"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(PermissionError, match="another user"):
        neighbours._folder()


class CountingMailbox(Mailbox):
    """One that counts the waits that ended without a message."""

    waits_without_message = 0

    def receive(self, seconds: float | None) -> Message | None:
        message = super().receive(seconds)
        CountingMailbox.waits_without_message += message is None
        return message


def test_a_socket_that_never_answers_costs_a_moment_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "Mailbox", CountingMailbox)
    squatter = Mailbox(listed=True)
    make().add(WEB)
    asking = make()
    for _ in range(20):
        assert asking.other_holder(WEB) is not None
    squatter.close()
    assert (
        1 <= CountingMailbox.waits_without_message <= 4
    )  # 10 without the note: then the squatter's socket is full; others test, too
