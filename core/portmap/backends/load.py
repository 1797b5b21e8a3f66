"""Loads a backend: spec in, Nat out."""

from portmap.backends.nat import Nat
from portmap.backends.shared import SharedNat
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.loading.construct import construct
from portmap.network.interface import require_interface
from portmap.syntax.plugin_specs import Spec, parse_backend_spec

AUTO = Spec("auto")  # beyond another gateway: look for the next one
IPV6_CONSTRUCTOR = "ipv6_from_argument"  # portmap.hookspecs


def load(spec: str | Spec, catalogue: Catalogue | None = None) -> Nat:
    """The backend that a spec names, or the chain of several, ready for one-shot calls; nothing is sent yet.

    Raises SpecError for a spec that makes no sense, PluginError for a backend that is broken.
    """
    parsed = checked_spec(spec)
    catalogue = catalogue or Catalogue(BACKENDS)
    if parsed.beyond:
        from portmap.backends.chain.chain_nat import ChainNat  # noqa: PLC0415  # most sessions have one gateway

        return ChainNat(_load_hops(parsed, catalogue), str(parsed))
    return _load_one(parsed, catalogue)


def load_ipv6(spec: str | Spec, catalogue: Catalogue | None = None) -> Nat | None:
    """The same gateway's IPv6 firewall, of a chain the innermost one's; None where the backend knows no IPv6.

    Raises as `load`.
    """
    parsed = checked_spec(spec).hops[0]
    plugin = (catalogue or Catalogue(BACKENDS)).find(parsed)
    backend_class = plugin.load()
    if not callable(getattr(backend_class, IPV6_CONSTRUCTOR, None)):
        return None
    backend = construct(backend_class, parsed, str(plugin), IPV6_CONSTRUCTOR)
    return SharedNat(backend, f"{plugin}, IPv6", interface=parsed.interface)


def checked_spec(spec: object) -> Spec:
    """The spec, once the interface that it names was found. Raises SpecError."""
    if not isinstance(spec, str | Spec):
        raise SpecError(f"{type(spec).__name__} is no backend: write a spec, as in 'any' or 'pmp:192.168.1.1'")
    parsed = parse_backend_spec(spec) if isinstance(spec, str) else spec
    if parsed.interface is not None:
        require_interface(parsed.interface)
    return parsed


def _load_hops(spec: Spec, catalogue: Catalogue) -> list[Nat]:
    from portmap.backends.chain.next_gateway import next_gateway  # noqa: PLC0415  # as above

    inner, *outer = spec.hops
    beyond = [
        next_gateway(place, catalogue, hop.interface)
        if hop._replace(interface=None) == AUTO
        else _load_one(hop, catalogue)
        for place, hop in enumerate(outer, 2)
    ]
    return [_load_one(inner, catalogue), *beyond]


def _load_one(spec: Spec, catalogue: Catalogue) -> Nat:
    plugin = catalogue.find(spec)
    return SharedNat(construct(plugin.load(), spec, str(plugin)), str(plugin), interface=spec.interface)
