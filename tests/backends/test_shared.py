"""A mapping is left to another portmap that holds it, unless another user claims it and it would stay for ever."""

import os
from ipaddress import IPv4Address

import pytest

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.shared import SharedNat
from portmap.errors import Conflict, NotAuthorized
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.host.claims import Claim, OtherHolder, PortClaims
from portmap.host.neighbours import Sender
from portmap.model import Address, Grant, Key, Protocol
from portmap.testing import loopback_address
from portmap.testing.scripted import ScriptedBackend

OURSELVES = Sender(12, os.geteuid())
OTHER_USER = Sender(13, os.geteuid() + 1)
TCP_8080 = Key(Protocol.TCP, 8080)
ADDRESS = loopback_address()  # of each process its own: claims are seen by all on this host


class Gateway(ScriptedBackend):
    """One that has an address."""

    def __str__(self) -> str:
        return f"Scripted {ADDRESS}"

    def asked(self, hook: str) -> list[tuple[object, ...]]:
        return [call.arguments for call in self.calls if call.hook == hook]


class Forced(Gateway):
    """One that deletes what is not ours, too."""

    @hookimpl
    def force_delete(self) -> bool:
        return True


class Known(PortClaims):
    """One other portmap holds every port; None: there is no other."""

    def __init__(self, sender: Sender | None, external_port: int = 0) -> None:
        super().__init__()
        self._holder = None if sender is None else OtherHolder(sender, external_port)
        self.released: list[Claim] = []

    def other_holder(self, claim: Claim) -> OtherHolder | None:
        return self._holder

    def tell_released(self, claim: Claim) -> None:
        self.released.append(claim)


def opened_and_closed(backend: Gateway, claims: Known) -> SharedNat:
    nat = SharedNat(backend, "scripted", claims=lambda: claims)
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)
    nat.delete_mapping(Protocol.TCP, 8080, 8080)
    return nat


@pytest.mark.parametrize(
    ("sender", "lifetime", "deletes"),
    [(None, 600, 1), (OURSELVES, 600, 0), (OURSELVES, 0, 0), (OTHER_USER, 600, 0), (OTHER_USER, 0, 1)],
    ids=["no other", "ours", "ours, permanent", "another user", "another user, permanent"],
)
def test_only_another_user_is_never_left_a_permanent_mapping(
    sender: Sender | None, lifetime: int, deletes: int
) -> None:
    backend = Gateway(lifetime=lifetime)
    opened_and_closed(backend, Known(sender))
    assert len(backend.asked("delete_mapping")) == deletes


def test_a_leftover_of_unknown_lifetime_is_not_left_to_another_user() -> None:
    backend = Gateway()
    SharedNat(backend, "scripted", claims=lambda: Known(OTHER_USER)).delete_mapping(Protocol.TCP, 8080, 8080)
    assert len(backend.asked("delete_mapping")) == 1


@pytest.mark.parametrize("sender", [None, OURSELVES, OTHER_USER])
def test_every_release_is_told(sender: Sender | None) -> None:
    claims = Known(sender)
    opened_and_closed(Gateway(), claims)
    assert [claim.key for claim in claims.released] == [TCP_8080]


def test_the_external_port_of_the_other_one_is_asked_for() -> None:
    backend = Gateway()
    SharedNat(backend, "scripted", claims=lambda: Known(OURSELVES, 443)).add_mapping(Protocol.TCP, 0, 8080, "", 600)
    assert backend.asked("add_mapping") == [(Protocol.TCP, 443, 8080, 600)]


def test_what_was_asked_for_by_name_stands() -> None:
    backend = Gateway()
    SharedNat(backend, "scripted", claims=lambda: Known(OURSELVES, 443)).add_mapping(Protocol.TCP, 80, 8080, "", 600)
    assert backend.asked("add_mapping") == [(Protocol.TCP, 80, 8080, 600)]


def test_the_gateway_is_asked_whatever_another_portmap_says() -> None:
    backend = Gateway()
    opened_and_closed(backend, Known(OTHER_USER))
    assert backend.asked("add_mapping") == [(Protocol.TCP, 0, 8080, 600)]


def test_a_refusal_names_the_holder_of_the_port() -> None:
    backend = Gateway().fails(0, 1, lambda: NotAuthorized("not yours", code=2), "add_mapping")
    nat = SharedNat(backend, "scripted", claims=lambda: Known(OURSELVES))
    with pytest.raises(NotAuthorized, match=r"^another portmap \(process 12\) holds the port: not yours$"):
        nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)


@pytest.mark.parametrize("sender", [None, OTHER_USER])
def test_no_other_user_keeps_a_mapping_from_being_deleted_by_force(sender: Sender | None) -> None:
    nat = SharedNat(Forced(), "scripted", claims=lambda: Known(sender))
    nat.force_delete(Protocol.TCP, 8080, 8080)


def test_a_mapping_that_a_portmap_of_ours_would_open_again_is_not_deleted_by_force() -> None:
    nat = SharedNat(Forced(), "scripted", claims=lambda: Known(OURSELVES))
    with pytest.raises(Conflict, match=r"another portmap \(process 12\) holds it"):
        nat.force_delete(Protocol.TCP, 8080, 8080)


def test_a_note_says_what_was_found_once() -> None:
    nat = SharedNat(Gateway(), "scripted", claims=lambda: Known(OURSELVES))
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)
    assert nat.grant_note(TCP_8080) == "another portmap (process 12) holds it, too"
    assert nat.grant_note(TCP_8080) == ""
    nat.delete_mapping(Protocol.TCP, 8080, 8080)
    assert nat.grant_note(TCP_8080) == "left open for another portmap (process 12)"


def test_a_gateway_without_an_address_is_not_shared() -> None:
    backend = ScriptedBackend()
    nat = SharedNat(backend, "scripted")
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)
    assert nat.other_holder(TCP_8080) is None
    nat.close()


def test_closing_releases_every_claim() -> None:
    nat, other = SharedNat(Gateway(), "scripted"), PortClaims()
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)
    claim = Claim(ADDRESS, *TCP_8080[:2])
    assert other.other_holder(claim) is not None
    nat.close()
    assert other.other_holder(claim) is None


class MapsForOthers(Gateway):
    """One that takes the client of a mapping."""

    @hookimpl
    def add_mapping(self, internal_port: int, client: Address | None) -> Grant:  # type: ignore[override]  # a hook takes what it needs
        return Grant(internal_port, 600)

    @hookimpl
    def delete_mapping(self, internal_port: int, client: Address | None) -> None:  # type: ignore[override]  # as above
        self._hear("delete_mapping", internal_port, client)


@pytest.mark.parametrize(("client", "deletes"), [(None, 0), (IPv4Address("192.168.0.5"), 1)])
def test_the_port_of_another_host_is_not_the_one_that_another_portmap_holds(
    client: Address | None, deletes: int
) -> None:
    holder = SharedNat(Gateway(), "holder")
    holder.add_mapping(Protocol.TCP, 0, 8080, "", 600)
    backend = MapsForOthers()
    nat = SharedNat(backend, "chain")
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600, client=client)
    nat.delete_mapping(Protocol.TCP, 8080, 8080, client=client)
    holder.close()
    assert len(backend.asked("delete_mapping")) == deletes


class Ready(Gateway):
    """One where the port is reachable as it stands: nothing is sent, and nothing is held. Keeps how it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.exact: list[bool] = []

    @hookimpl
    def add_mapping(self, internal_port: int, exact: bool) -> Grant:  # type: ignore[override]  # as above
        self.exact.append(exact)
        return Grant(internal_port, 0, static=True)


def test_what_needs_no_mapping_is_claimed_from_nobody() -> None:
    nat, other = SharedNat(Ready(), "scripted"), PortClaims()
    assert nat.add_mapping(Protocol.TCP, 0, 8080, "", 600).static
    assert other.other_holder(Claim(ADDRESS, *TCP_8080[:2])) is None
    nat.close()


def test_another_external_port_will_do_unless_it_is_said() -> None:
    backend = Ready()
    nat = SharedNat(backend, "scripted", claims=lambda: Known(None))
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600, exact=True)
    assert backend.exact == [False, True]


class Releasing(PortClaims):
    """Keeps what is called when another portmap lets go of a port."""

    def watch(self, alert: Alert) -> Closer:
        self.release = alert
        return super().watch(alert)


def test_what_another_portmap_lets_go_of_at_a_gateway_of_a_chain_is_no_alert() -> None:
    claims = [Releasing(), Releasing()]
    hops = [SharedNat(MapsForOthers(), "hop", claims=iter([it]).__next__) for it in claims]
    alerts: list[str] = []
    releases: list[str] = []
    unwatch = ChainNat(hops, "chain").watch(alerts.append, releases.append)
    for number, it in enumerate(claims):
        it.release(f"let go at hop {number}")
    unwatch()
    assert (alerts, releases) == ([], ["let go at hop 0", "let go at hop 1"])


def test_what_one_call_found_out_is_not_told_of_the_next() -> None:
    claims = Known(OURSELVES)
    nat = SharedNat(Gateway(), "scripted", claims=lambda: claims)
    nat.add_mapping(Protocol.TCP, 0, 8080, "", 600)  # the note is not asked for, as at a renewal
    claims._holder = None
    nat.delete_mapping(Protocol.TCP, 8080, 8080)
    assert nat.grant_note(TCP_8080) == ""
