"""A configuration file: TOML to instances, or every fault with its line.

Pure. Nothing is guessed: an unknown key, a wrong type, a value that makes no sense is a fault, and all of them are
told at once. A map with a gateway or publishers of its own makes an instance of its own.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from portmap.config.options import SETTINGS, OptionRow, Value, parse_lease
from portmap.config.settings import ConfigFile, Instance, MappingText, SettingsLayer, default_name
from portmap.config.toml_table import ConfigFault, TomlTable, lines_of
from portmap.errors import SpecError
from portmap.model import DEFAULT_LIFETIME, at_host
from portmap.syntax.mappings import DistinctPorts, parse_host, parse_mapping
from portmap.syntax.plugin_specs import on_interface, quoted_name

MAX_SIZE = 64 * 1024  # characters; a thousand maps need half of it
MAX_MAPS = 2000  # in one file
MAX_PORTS = 20_000  # in one file, ranges port by port; more than any gateway can hold
KEYS = tuple(option.name for option in SETTINGS if option.in_file)
MAP_OPTIONS = tuple(option for option in SETTINGS if option.in_map)
MAP_KEYS = ("name", "port", "external", "protocol", "host", *(option.name for option in MAP_OPTIONS), "lease")

_LINE = re.compile(r"at line (\d+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_PROTOCOLS = ("tcp", "udp", "both")

SpecCheck = Callable[[str, str], None]


class ConfigError(SpecError):
    """The file makes no sense; `faults` says where and why, by line."""

    def __init__(self, name: str, faults: tuple[ConfigFault, ...]) -> None:
        more = f" (and {len(faults) - 1} more: try portmap config check)" if len(faults) > 1 else ""
        super().__init__(f"{name}:{faults[0].line}: {faults[0].text}{more}")
        self.name = name
        self.faults = faults


def parse_config(text: str, name: str = "the configuration", judge: SpecCheck = lambda *_: None) -> ConfigFile:
    """What a file's text says. Raises ConfigError; `name` is what to call the file.

    `judge` is asked about each spec, as in ("nat", "pmp:192.168.1.1"), and raises SpecError for one it does not like.
    """
    faults: list[ConfigFault] = []
    document = _parsed(text, faults)
    top = TomlTable(document, (), {} if faults else lines_of(text), faults)
    file = _ConfigReader(judge).file(top)
    if faults:
        raise ConfigError(name, tuple(sorted(faults)))
    return file


def _parsed(text: str, faults: list[ConfigFault]) -> dict[str, Any]:
    if len(text) > MAX_SIZE:
        faults.append(ConfigFault(1, f"the file has more than {MAX_SIZE // 1024} KiB: use ranges, or several files"))
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _LINE.search(str(error))
        faults.append(ConfigFault(int(at[1]) if at else text.count("\n") + 1, f"this is no TOML: {error}"))
    except ValueError as error:  # as for a number of more than 4300 digits, which Python does not read
        faults.append(ConfigFault(1, f"this is no configuration: {error}"))
    except RecursionError:
        faults.append(ConfigFault(1, "this is no configuration: nested too deeply"))
    return {}


class _ConfigReader:
    """What one file has used up so far: the names of instances, and the ports of each gateway."""

    def __init__(self, judge: SpecCheck) -> None:
        self._judge = judge
        self._names: set[str] = set()
        self._taken: dict[str, DistinctPorts] = {}
        self._maps = 0
        self._ports = 0

    def file(self, top: TomlTable) -> ConfigFile:
        top.reject_unknown_keys((*KEYS, "map", "instance"))
        settings = self._settings(top)
        _check_families(top, settings)
        named = [(table, table.read("name", self._name)) for table in top.tables("instance")]
        instances = self._instances(top, settings, None)
        for table, name in named:
            instances += self._instance(table, settings, name)
        return ConfigFile(settings, tuple(instances))

    def _instance(self, table: TomlTable, settings: SettingsLayer, name: str | None) -> list[Instance]:
        table.reject_unknown_keys((*KEYS, "map", "name"))
        if not table.values.get("map"):
            table.fault("this instance has no mapping: add [[instance.map]] with a port")
        own = self._settings(table)
        if not (settings.ipv4 is settings.ipv6 is False):  # else it is told already
            _check_families(table, own.over(settings))
        return self._instances(table, own.over(settings), name)

    def _instances(self, table: TomlTable, settings: SettingsLayer, name: str | None) -> list[Instance]:
        """The maps of a table: one instance for all that have the same values of MAP_OPTIONS."""
        instances: dict[object, Instance] = {}
        for row in table.tables("map"):
            self._maps += 1
            if self._maps > MAX_MAPS:
                row.fault(f'the file has more than {MAX_MAPS} maps: use ranges, as in port = "27015-27030"')
            if self._maps > MAX_MAPS or self._ports > MAX_PORTS:
                break
            row.reject_unknown_keys(MAP_KEYS)
            own = self._settings(row, MAP_OPTIONS)
            layer = own.over(settings)
            wanted = self._wanted(row, layer)
            group = tuple(getattr(layer, option.name) for option in MAP_OPTIONS)
            if group not in instances:
                called = name if own == SettingsLayer() and name else self._free_name(layer.nat)
                instances[group] = Instance(name=called).with_layer(layer)
            if wanted is not None:
                kept = instances[group]
                instances[group] = replace(kept, mappings=(*kept.mappings, wanted))
        return list(instances.values())

    def _wanted(self, row: TomlTable, layer: SettingsLayer) -> MappingText | None:
        """The mapping as the command line's text, judged part by part."""
        lease = row.read("lease", _lease)
        protocol = row.read("protocol", _protocol) or "tcp"
        port = row.read("port", _mapping_part("{0}", "{0}"))
        if port is None:
            if "port" not in row.values:
                row.fault("this map has no port")
            return None
        external = row.read("external", _mapping_part("{0}:", f"{{0}}:{port}")) or ""
        name = row.read("name", _mapping_part("{0}=", f"{{0}}={port}")) or ""
        host = at_host(row.read("host", _host) or "")
        wanted = MappingText(f"{name}{external}{port}{host}/{protocol}", lease)
        row.read("port", lambda *_: self._take(on_interface(layer.nat or "any", layer.interface), wanted))
        return wanted

    def _take(self, nat: str, wanted: MappingText) -> None:
        requests = wanted.requests(DEFAULT_LIFETIME)
        self._ports += len(requests)
        if self._ports > MAX_PORTS:
            raise SpecError(f"the file asks for more than {MAX_PORTS} ports: ask for fewer")
        taken = self._taken.setdefault(nat, DistinctPorts())
        for request in requests:
            taken.add(request)

    def _settings(self, table: TomlTable, options: Sequence[OptionRow] = SETTINGS) -> SettingsLayer:
        """What the table says of these options."""
        said: dict[str, Any] = {
            option.name: table.read(option.name, partial(self._value, option)) for option in options if option.in_file
        }
        return SettingsLayer(**said)

    def _value(self, option: OptionRow, value: object, key: str) -> object:
        match option.value:
            case Value.SWITCH | Value.OFF_SWITCH:
                return _flag(value, key)
            case Value.TEXTS:
                return tuple(self._checked(option, _text(each, key), key) for each in _list(value, key))
            case Value.DURATION:
                return self._checked(option, _number_or_text(value, key), key)
            case _:
                return self._checked(option, _text(value, key), key)

    def _checked(self, option: OptionRow, text: str, key: str) -> object:
        value = option.parse(text, key)
        if option.spec_of:
            self._judge(key, text)
        return value

    def _name(self, value: object, key: str) -> str:
        text = _text(value, key)
        if not _NAME.fullmatch(text):
            raise SpecError(f"{key} {text!r} cannot be used: use up to 32 letters, digits, _ . or -")
        if text in self._names:
            raise SpecError(f"{key} {text!r} is another instance's: choose another one")
        self._names.add(text)
        return text

    def _free_name(self, nat: str | None) -> str:
        """The gateway's name, with a number if it is taken."""
        base = default_name(nat or "any")
        names = (base, *(f"{base}-{number}" for number in range(2, len(self._names) + 3)))
        chosen = next(each for each in names if each not in self._names)
        self._names.add(chosen)
        return chosen


def _check_families(table: TomlTable, settings: SettingsLayer) -> None:
    """Note where neither IPv4 nor IPv6 is left."""
    if settings.ipv4 is False and settings.ipv6 is False:
        key = "ipv6" if "ipv6" in table.values else "ipv4"
        table.fault("IPv4 and IPv6 are both switched off, so there is nothing to do: allow one of them", key)


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{key} is {_shown(value)}, which is no text: put it in quotes")
    return value


def _list(value: object, key: str) -> list[object]:
    if not isinstance(value, list):
        raise SpecError(f"{key} is no list: put it in brackets")
    return value


def _shown(value: object) -> str:
    """A value of the wrong kind, as a fault repeats it: a list or table may hold a spec with a password."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return quoted_name(value) if isinstance(value, str) else repr(value)


def _flag(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"{key} is {_shown(value)}: use true or false")
    return value


def _number_or_text(value: object, key: str) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise SpecError(f"{key} is {_shown(value)}, which is neither a number nor a text")
    return str(value)


def _lease(value: object, key: str) -> int:
    return parse_lease(_number_or_text(value, key), key)


def _host(value: object, key: str) -> str:
    return parse_host(_text(value, key))


def _protocol(value: object, key: str) -> str:
    text = _text(value, key)
    if text.lower() not in _PROTOCOLS:
        raise SpecError(f"{key} {text!r} is unknown: use {', '.join(_PROTOCOLS)}")
    return text.lower()


def _mapping_part(form: str, mapping: str) -> Callable[[object, str], str]:
    """Reads a part of a mapping; `mapping` is a text with that part, for the grammar to judge."""

    def reading(value: object, key: str) -> str:
        text = _number_or_text(value, key)
        parse_mapping(mapping.format(text))
        return form.format(text)

    return reading
