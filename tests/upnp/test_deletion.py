"""How a mapping is deleted: what is ours, and seen to be gone; nothing else."""

from typing import TYPE_CHECKING

import pytest
from tests.upnp.one_mapping import PORT, TCP, add
from tests.upnp.real_routers import DELETE, GET, THEIRS, YES, closes, entry

from portmap.errors import Refused, SpecError
from portmap.model import Protocol
from portmap.testing import Heard, Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor, Scripted


@pytest.mark.parametrize(("external", "internal"), [(0, 1), (1, 0), (70000, 1), (1, -1)])
def test_ports_that_cannot_be_are_not_deleted(router: Router, upnp: Upnp, external: int, internal: int) -> None:
    with pytest.raises(SpecError):
        upnp.delete_mapping(TCP, external, internal, client=None)
    assert router.heard == Heard()


def test_a_mapping_is_deleted_and_a_second_time_does_no_harm(router: Router, upnp: Upnp) -> None:
    add(upnp)
    for _ in range(2):
        upnp.delete_mapping(TCP, PORT, PORT, client=None)
    assert router.entries == ()
    assert router.heard.delete == 1


def test_another_hosts_mapping_is_not_deleted(router: Router, upnp: Upnp) -> None:
    add(upnp)
    upnp.delete_mapping(TCP, PORT, PORT + 1, client=None)
    assert len(router.entries) == 1


def test_a_mapping_of_an_earlier_life_is_deleted(router: Router, upnp: Upnp, backend_for: "BackendFor") -> None:
    add(upnp)
    backend_for(router).delete_mapping(TCP, PORT, PORT, client=None)
    assert router.entries == ()


@pytest.mark.parametrize(
    "quirks", [Quirks(slow=0.1), Quirks(slow=0.1, only_permanent=True)], ids=["leases", "permanent"]
)
def test_of_many_entries_at_a_slow_gateway_each_is_deleted_with_one_call(quirks: Quirks) -> None:
    with Router(pmp=False, quirks=quirks) as router:
        upnp = Upnp.from_argument(router.description_url)
        ports = range(27015, 27031)
        for port in ports:
            upnp.add_mapping(Protocol.TCP, port, port, "", 600, client=None)
        looks = router.heard.get
        for port in ports:
            upnp.delete_mapping(Protocol.TCP, port, port, client=None)
        assert router.entries == ()
        assert router.heard.get == looks


def test_what_is_ours_is_deleted_and_seen_to_be_gone(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [entry(), 714], DELETE: [YES]})
    closes(mapper, igd)
    assert gateway.heard == [GET, DELETE, GET]


def test_what_both_witnesses_say_is_gone_is_not_deleted(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714], "GetGenericPortMappingEntry": [713]})
    closes(mapper, igd)
    assert gateway.heard == [GET, "GetGenericPortMappingEntry"]


@pytest.mark.parametrize("answer", [THEIRS, entry(description="geth")], ids=["theirs", "another program"])
def test_what_is_not_ours_is_not_deleted(
    mapper: PortMapper, scripted: "Scripted", answer: int | dict[str, str]
) -> None:
    igd, gateway = scripted({GET: [answer]})
    closes(mapper, igd)
    assert gateway.heard == [GET]


def test_what_vanishes_while_we_delete_it_is_deleted(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [entry(), 714], DELETE: [714]})
    closes(mapper, igd)


def test_a_yes_to_a_deletion_that_did_not_happen_is_not_believed(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [entry()], DELETE: [YES]})
    with pytest.raises(Refused, match="still lists it"):
        closes(mapper, igd)
