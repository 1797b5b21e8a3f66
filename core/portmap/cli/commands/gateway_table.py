"""Asks the backends of a spec for the gateway's own table, for `portmap ls` and `portmap close --force`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from portmap.backends.nat import Nat
from portmap.cli.commands.remembered import marked
from portmap.doctor.findings import BackendAnswer
from portmap.doctor.probes.backends import BackendProbe, probe_targets
from portmap.errors import NoGateway
from portmap.model import Listed

_TIMEOUT = 16.0  # seconds; a long table on a slow router takes some, and `portmap.backends.nat` allows 15


@dataclass(frozen=True, slots=True)
class GatewayTable:
    """What a backend answered, and the backend."""

    answer: BackendAnswer
    nat: Nat | None


def ask_for_table(spec: str, remembered: Iterable[Listed] = ()) -> GatewayTable:
    """The first that lists its mappings, else the first that answers at all. Raises what the first one met.

    In the table the `remembered` rows are marked as ours.
    """
    probe = BackendProbe(tuple(target for target in probe_targets(spec) if target.chosen), _TIMEOUT)
    answers: list[GatewayTable] = []
    for target, answer in probe.results():
        if answer is None:
            continue
        nat = probe.backend(target.name)
        if answer.table is not None:
            return GatewayTable(replace(answer, table=marked(answer.table, remembered, answer.us)), nat)
        answers.append(GatewayTable(answer, nat))
    good = [it for it in answers if it.answer.good]
    if good:
        return good[0]
    met = [it.answer for it in answers]
    errors = [answer.error for answer in met if answer.error and not (answer.broken and len(met) > 1)]
    raise errors[0] if len(errors) == 1 else NoGateway(_no_answer(met))


def _no_answer(answers: Iterable[BackendAnswer]) -> str:
    told = "; ".join(f"{answer.gateway}: {answer.error}" for answer in answers)
    return f"no gateway answered ({told or 'no backend is installed'}); try: portmap doctor"
