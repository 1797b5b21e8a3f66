"""Sticky and crash-safe: what a session remembers of the one before, on scripted time."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from portmap.backends.nat import Nat
from portmap.events import Event, PortAdded
from portmap.loop.inbox import Register
from portmap.loop.loop import Loop
from portmap.loop.policy import OnConflict, Policy
from portmap.model import Key, Mapping, PortRequest, Protocol
from portmap.storage.journal import Journal, JournalEntry, from_text
from portmap.storage.journal_store import JournalStore
from portmap.storage.journal_writer import JournalWriter
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend

HERE = "the scripted gateway"
TCP = PortRequest(Protocol.TCP, 8080)


def entry(port: int, *, at: str = HERE, held: bool = True, external: int = 9090) -> JournalEntry:
    return JournalEntry(at, Protocol.TCP, port, external, expires=None, held=held)


class MemoryStore(JournalStore):
    """A folder in memory, with one journal of a dead session."""

    def __init__(self, left: Journal) -> None:
        self._left = left
        self.saved = Journal()

    def take_over(self) -> tuple[Journal, ...]:
        return (self._left,)

    def save(self, journal: Journal) -> bool:
        self.saved = journal
        return True


class Writer(JournalWriter):
    """Records, too, which leftovers were deleted."""

    def __init__(self, store: MemoryStore, gateway: Callable[[], str]) -> None:
        super().__init__(store, gateway)
        self.deleted: list[Key] = []

    def leftover_deleted(self, key: Key) -> None:
        self.deleted.append(key)
        super().leftover_deleted(key)


def play(
    backend: ScriptedBackend, journal: Journal, *wanted: PortRequest, policy: Policy | None = None, end: float = 100
) -> list[Key]:
    """Run the real loop with a journal; the leftovers that it says are gone."""
    inbox = backend.inbox = ScriptedInbox([(0, Register(request)) for request in wanted], end=end)
    nat, writer = Nat(backend, "scripted"), Writer(MemoryStore(journal), lambda: HERE)
    Loop(nat, inbox, Recording(inbox), policy, writer, lambda: 0.0).run()
    return writer.deleted


def asked(backend: ScriptedBackend, hook: str) -> list[tuple[object, ...]]:
    return [call.arguments for call in backend.calls if call.hook == hook]


def test_the_external_port_is_asked_for_again_after_a_restart() -> None:
    backend = ScriptedBackend()
    play(backend, Journal((entry(8080),)), TCP)
    assert asked(backend, "add_mapping")[0] == (Protocol.TCP, 9090, 8080, 600)


def test_a_port_that_was_only_second_best_is_not_asked_for_where_the_wanted_one_is_free() -> None:
    backend = ScriptedBackend()
    play(backend, Journal((entry(8080, held=False),)), TCP)
    assert asked(backend, "add_mapping")[0] == (Protocol.TCP, 0, 8080, 600)
    assert not [call for call in asked(backend, "add_mapping") if call[1] == 9090]


def test_where_the_wanted_port_is_taken_the_remembered_one_is_had_and_no_third() -> None:
    backend = ScriptedBackend(ports=lambda port: 7000 if port == 8080 else port)
    play(backend, Journal((entry(8080, held=False),)), TCP, end=1)
    assert asked(backend, "add_mapping") == [(Protocol.TCP, 0, 8080, 600), (Protocol.TCP, 9090, 8080, 600)]
    assert asked(backend, "delete_mapping")[0] == (Protocol.TCP, 7000, 8080)


def test_a_gateway_that_gives_neither_port_is_asked_no_third_time() -> None:
    ports = iter(range(7000, 8000))
    backend = ScriptedBackend(ports=lambda port: next(ports))
    play(backend, Journal((entry(8080, held=False),)), TCP, end=1)
    assert [call[1] for call in asked(backend, "add_mapping")] == [0, 9090]


def test_an_external_port_of_the_user_goes_before_the_remembered_one() -> None:
    backend = ScriptedBackend()
    play(backend, Journal((entry(8080),)), PortRequest(Protocol.TCP, 8080, 443))
    assert asked(backend, "add_mapping")[0] == (Protocol.TCP, 443, 8080, 600)


def test_where_only_one_port_will_do_memory_is_not_asked() -> None:
    backend = ScriptedBackend()
    play(backend, Journal((entry(8080),)), TCP, policy=Policy(on_conflict=OnConflict.FAIL))
    assert asked(backend, "add_mapping")[0] == (Protocol.TCP, 0, 8080, 600)


def test_a_mapping_is_in_the_journal_before_it_is_told_and_what_helps_to_find_its_gateway() -> None:
    backend, store = ScriptedBackend(), MemoryStore(Journal())
    noted: list[Journal] = []

    class Told(Recording):
        def on_event(self, event: Event) -> None:
            super().on_event(event)
            if isinstance(event, PortAdded):
                noted.append(store.saved)

    inbox = backend.inbox = ScriptedInbox([(0, Register(TCP))], end=1)
    writer = JournalWriter(store, lambda: HERE, "scripted", lambda: "here", lambda: 0)
    Loop(Nat(backend, "scripted"), inbox, Told(inbox), None, writer, lambda: 0.0).run()
    entry = JournalEntry(HERE, Protocol.TCP, 8080, 8080, expires=600, inner_port=8080)
    assert noted == [Journal((entry,), (("scripted", "here"),))]


def test_an_unwanted_leftover_is_deleted() -> None:
    backend = ScriptedBackend()
    assert play(backend, Journal((entry(7070),))) == [Key(Protocol.TCP, 7070)]
    assert asked(backend, "delete_mapping") == [(Protocol.TCP, 9090, 7070)]


def test_a_leftover_that_is_wanted_again_is_taken_over_not_deleted() -> None:
    backend = ScriptedBackend()
    assert play(backend, Journal((entry(8080),)), TCP, end=1) == []
    assert [call.hook for call in backend.calls] == ["external_ip", "add_mapping", "delete_mapping"]  # ours, at the end


def test_a_leftover_is_deleted_by_the_internal_port_that_the_gateway_knows() -> None:
    backend = ScriptedBackend()
    play(backend, Journal((replace(entry(7070), inner_port=9090),)))
    assert asked(backend, "delete_mapping") == [(Protocol.TCP, 9090, 9090)]


def test_what_followed_goes_on_where_it_was() -> None:
    backend = ScriptedBackend()
    follower = PortRequest(Protocol.TCP, 7070, follow=True)
    assert play(backend, Journal((replace(entry(7070), inner_port=9090),)), follower, end=1) == []
    assert asked(backend, "add_mapping") == [(Protocol.TCP, 9090, 9090, 600)]
    assert asked(backend, "delete_mapping") == [(Protocol.TCP, 9090, 9090)]  # ours, at the end


def test_a_remembered_internal_port_is_not_used_without_follow() -> None:
    backend = ScriptedBackend()
    assert play(backend, Journal((replace(entry(8080), inner_port=9090),)), TCP) == [TCP.key]
    assert asked(backend, "add_mapping")[0] == (Protocol.TCP, 9090, 8080, 600)
    assert asked(backend, "delete_mapping")[0] == (Protocol.TCP, 9090, 9090)


def test_a_leftover_that_is_gone_is_not_taken_for_what_we_have_mapped_since(tmp_path: Path) -> None:
    with closing(JournalStore(tmp_path)) as killed:
        killed.save(Journal((replace(entry(8080), inner_port=9090),)))
    with closing(JournalStore(tmp_path)) as state:
        writer = JournalWriter(state, lambda: HERE)
        writer.granted(Mapping(Protocol.TCP, 8080, 9091, 600), "", 8080)
        writer.leftover_deleted(TCP.key)
        writer.save()
        assert [kept.held for kept in from_text(next(tmp_path.glob("*.json")).read_text()).entries] == [True]


def test_a_leftover_at_another_gateway_is_left_for_the_day_that_we_are_back_there() -> None:
    backend = ScriptedBackend()
    assert play(backend, Journal((entry(7070, at="another gateway"),))) == []
    assert asked(backend, "delete_mapping") == []


def test_a_leftover_whose_lease_ran_out_needs_no_deleting() -> None:
    backend = ScriptedBackend()
    assert play(backend, Journal((JournalEntry(HERE, Protocol.TCP, 7070, 9090, expires=1.0),))) == []


def test_a_silent_gateway_is_asked_to_delete_a_leftover_again_later() -> None:
    backend = ScriptedBackend().silent(0, 30, hook="delete_mapping")
    assert play(backend, Journal((entry(7070),))) == [Key(Protocol.TCP, 7070)]


def test_a_refused_deletion_is_not_repeated() -> None:
    backend = ScriptedBackend().refuse(0, 1000, hook="delete_mapping")
    assert play(backend, Journal((entry(7070),))) == []
    assert len(asked(backend, "delete_mapping")) == 1
