"""What wins over what, flags, environment and file; and what a reload changes."""

import pytest
from tests.config.file_texts import FULL, NOTHING, asked, home

from portmap.config.diff import Adjust, End, Restart, Start, diff
from portmap.config.file import parse_config
from portmap.config.settings import (
    Instance,
    MappingText,
    SettingsLayer,
    environment_layer,
    flags_layer,
    resolve,
)
from portmap.errors import SpecError
from portmap.loop.policy import OnConflict
from portmap.model import Key, Protocol

# flags, environment, file


def test_flags_win_over_environment_over_file_over_default() -> None:
    file = parse_config('nat = "pmp"\nlease = "3h"\nstate = "/f"\n[[map]]\nport = 1\n')
    environment = environment_layer({"PORTMAP_LEASE": "2h", "PORTMAP_STATE": "/e"})
    (settled,) = resolve(SettingsLayer(state="/flag").over(environment), file)
    assert (settled.state, settled.lease, settled.nat, settled.ip_interval) == ("/flag", 7200, "pmp", 60)


def test_a_lease_from_above_is_every_mappings() -> None:
    file = parse_config('[[map]]\nport = 1\nlease = "3h"\n')
    assert asked(resolve(SettingsLayer(lease=60), file)[0])[0][-1] == 60


def test_mappings_from_above_take_the_place_of_the_files() -> None:
    (settled,) = resolve(SettingsLayer(mappings=(MappingText("8080"),)), parse_config(FULL))
    assert (settled.nat, settled.publish) == ("upnp", ("file:/run/ports",))
    assert asked(settled) == [("TCP", 8080, 0, "", 3600)]


def test_with_nothing_said_there_is_one_instance_of_defaults() -> None:
    assert resolve(NOTHING) == (Instance(name="any"),)


def test_a_gateway_from_above_is_every_instances() -> None:
    assert {instance.nat for instance in resolve(SettingsLayer(nat="none"), parse_config(FULL))} == {"none"}


def test_mappings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SpecError, match="asked for twice"):
        resolve(SettingsLayer(mappings=(MappingText("1"), MappingText("1"))))


def test_the_environment_names_everything() -> None:
    said = {
        "PORTMAP_NAT": "pmp",
        "PORTMAP_IP_INTERVAL": "30s",
        "PORTMAP_ON_CONFLICT": "fail",
        "PORTMAP_PUBLISH": "file:/a b\n\n exec:x --y\n",
        "PORTMAP_MAPPINGS": "80, 443/both",
        "PORTMAP_LEASE": "",
    }
    assert environment_layer(said) == SettingsLayer(
        nat="pmp",
        ip_interval=30,
        on_conflict=OnConflict.FAIL,
        publish=("file:/a b", "exec:x --y"),
        mappings=(MappingText("80"), MappingText("443/both")),
    )


def test_an_empty_environment_says_nothing() -> None:
    assert environment_layer({}) == NOTHING


def test_nonsense_in_the_environment_is_the_variables_fault() -> None:
    with pytest.raises(SpecError, match="PORTMAP_LEASE 'x' is no duration"):
        environment_layer({"PORTMAP_LEASE": "x"})


def test_flags_are_a_layer_too() -> None:
    given = {"nat": None, "lease": "1h", "publish": ["file:a"], "ipv6": True, "ipv4": False, "allow_private": True}
    assert flags_layer(given, ["80"]) == SettingsLayer(
        lease=3600, publish=("file:a",), ipv6=False, allow_private=True, mappings=(MappingText("80"),)
    )


def test_a_flag_that_makes_no_sense_is_named() -> None:
    with pytest.raises(SpecError, match="--on-conflict 'maybe' makes no sense"):
        flags_layer({"on_conflict": "maybe"}, [])


def test_a_command_with_a_comma_in_the_file_is_no_list_of_specs() -> None:
    (instance,) = parse_config("publish = ['exec:notify one, two']\n[[map]]\nport = 1\n").instances
    assert instance.publish == ("exec:notify one, two",)


# a reload


WEB, DNS = MappingText("web=443:8443"), MappingText("53/udp")
HOME = Instance(name="home", mappings=(WEB, DNS))


def test_what_has_not_changed_stays_untouched() -> None:
    assert diff([HOME], [home(DNS, WEB)]) == (Adjust(home(DNS, WEB), (), ()),)


def test_mappings_come_and_go() -> None:
    new = home(DNS, MappingText("22"))
    assert diff([HOME], [new]) == (Adjust(new, (Key(Protocol.TCP, 8443),), (Key(Protocol.TCP, 22),)),)


def test_a_changed_mapping_goes_and_comes_back() -> None:
    new = home(MappingText("web=444:8443"), DNS)
    assert diff([HOME], [new]) == (Adjust(new, (Key(Protocol.TCP, 8443),), (Key(Protocol.TCP, 8443),)),)


def test_a_longer_range_leaves_the_rest_alone() -> None:
    new = home(MappingText("10-13"))
    assert diff([home(MappingText("10-12"))], [new]) == (Adjust(new, (), (Key(Protocol.TCP, 13),)),)


@pytest.mark.parametrize(
    "layer",
    [SettingsLayer(nat="pmp"), SettingsLayer(publish=("file:x",)), SettingsLayer(lease=60), SettingsLayer(state="/x")],
)
def test_other_changes_need_a_restart(layer: SettingsLayer) -> None:
    new = HOME.with_layer(layer)
    assert diff([HOME], [new]) == (Restart(HOME, new),)


def test_instances_come_and_go_and_go_first() -> None:
    new = Instance(name="vpn", nat="pmp", mappings=(WEB,))
    assert diff([HOME], [new]) == (End(HOME), Start(new))
