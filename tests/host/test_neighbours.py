"""The sockets by which the portmaps of a host ask each other: who is asked, whose answer counts, what a flood costs."""

import json
import os
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.host.conftest import OTHER_GATEWAY, WEB, Make, answering

from portmap.host import neighbours
from portmap.host.neighbours import Mailbox, Message, Neighbours, Sender

pytestmark = pytest.mark.usefixtures("among_ourselves")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the sockets are files of our own user")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")


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


def test_another_user_is_named_as_such() -> None:
    sender = Sender(12, os.geteuid() + 1)
    assert not sender.is_trusted
    assert not Sender(0, None).is_trusted
    assert Sender(12, 0).is_trusted


class FloodedMailbox(Mailbox):
    """One to which another user writes faster than it is read, for five seconds."""

    def __init__(self, *, listed: bool) -> None:
        super().__init__(listed=listed)
        self._until = time.monotonic() + 5

    def receive(self, seconds: float | None) -> Message | None:
        if time.monotonic() > self._until:
            return None
        return Message(b'[443, ""]', Sender(1, os.geteuid() + 1), "\0whoever")


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
    with closing(Mailbox(listed=False)) as other_user, answering(b'[443, ""]', other_user):
        found = make().other_holder(OTHER_GATEWAY)
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
