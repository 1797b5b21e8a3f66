"""How the doctor's findings are shown: aligned lines, one JSON object, a report to paste. Pure."""

import platform
import re
from collections.abc import Iterable, Sequence
from typing import Any

from portmap.cli.output.style import BOLD, FAINT, GREEN, RED, YELLOW, Style
from portmap.doctor.diagnosis import Diagnosis, Outcome
from portmap.doctor.findings import BackendAnswer, Beyond, Findings, TrialResult
from portmap.doctor.report import Mark, ReportLine
from portmap.reachability.nat_type import NatType
from portmap.syntax.plugin_specs import shown_spec

_MARKS = {Mark.YES: "✓", Mark.NO: "✗", Mark.UNKNOWN: "?", Mark.NOTE: "–"}  # noqa: RUF001  # a dash, and meant as one
_ASCII = {Mark.YES: "+", Mark.NO: "x", Mark.UNKNOWN: "?", Mark.NOTE: "-"}
_COLOURS = {Mark.YES: GREEN, Mark.NO: RED, Mark.UNKNOWN: YELLOW, Mark.NOTE: FAINT}
_SECTION = 10  # columns
_VERDICT = 9  # columns


def lines_of(report: Iterable[ReportLine], verdict: Diagnosis, style: Style) -> list[str]:
    """Everything for people, verdict and next steps last."""
    lines, before = [], ""
    for line in report:
        section = "" if line.section == before else line.section
        before = line.section
        lines += _with_indent(f"{section:<{_SECTION}} {_mark(line.mark, style)} ", _SECTION + 3, line.text, style)
    lines += ["", *_with_indent(f"{style.paint('VERDICT', BOLD)}  ", _VERDICT, verdict.title, style)]
    lines += _with_indent(" " * _VERDICT, _VERDICT, verdict.explanation, style)
    for number, step in enumerate(verdict.next_steps, 1):
        head = style.paint("NEXT", BOLD) if number == 1 else "    "
        lines += _with_indent(f"{head}     {number} ", _VERDICT + 2, step, style)
    return lines


def _mark(mark: Mark, style: Style) -> str:
    return style.paint((_ASCII if style.ascii else _MARKS)[mark], _COLOURS[mark])


def _with_indent(head: str, columns: int, text: str, style: Style) -> list[str]:
    """The head and the text, which goes on below itself; `columns` is what the head takes."""
    first, *more = style.wrap(style.plain(text), columns)
    return [head + first, *(" " * columns + line for line in more)]


def report_of(lines: Sequence[str], version: str, plugins: Iterable[str], others: int) -> str:
    """The block to paste: `lines` of redacted findings, versions, our plugins by name, the number of the others."""
    release = re.match(r"[0-9.]*", platform.release())  # what follows may be a name that the owner chose
    system = f"{platform.system()} {release[0] if release else ''}".rstrip(" .")
    about = f"portmap {version}, {system}, Python {platform.python_version()}"
    named = ", ".join(plugins) + (f" and {others} of others" if others else "")
    return "\n".join(["```", f"portmap doctor --report  ({about})", f"plugins: {named}", "", *lines, "```"])


def as_json(findings: Findings, verdict: Diagnosis, story: Iterable[ReportLine]) -> dict[str, Any]:
    """Everything for programs."""
    network = findings.network
    return {
        "verdict": verdict.code,
        "exit": int(verdict.outcome),
        "ok": verdict.outcome is Outcome.FINE,
        "title": verdict.title,
        "explanation": verdict.explanation,
        "next": list(verdict.next_steps),
        "network": {
            "gateways": [str(gateway) for gateway in network.gateways],
            "interface": network.interface,
            "address": str(network.us) if network.us else None,
            "ignored": list(network.ignored),
            "bridged": network.bridged,
        },
        "backends": [_answer(answer) for answer in findings.answers],
        "outside": _answer(findings.outside) if findings.outside else None,
        "nat": _nat(findings.nat),
        "beyond": _beyond(findings.beyond),
        "reached": [found.to_dict() for found in findings.reached],
        "attempts": [_attempt(attempt) for attempt in findings.attempts],
        "lines": [{"section": line.section, "mark": line.mark.value, "text": line.text} for line in story],
    }


def _answer(answer: BackendAnswer) -> dict[str, Any]:
    return {
        "backend": shown_spec(answer.name),
        "gateway": answer.gateway,
        "ms": answer.ms,
        "external_ip": str(answer.address) if answer.address else None,
        "scope": answer.scope.value,
        "error": type(answer.error).__name__ if answer.error else None,
        "reason": str(answer.error) if answer.error else None,
        "evidence": list(answer.evidence),
        "mappings": None if answer.table is None else len(answer.table),
        "chosen": answer.chosen,
    }


def _beyond(beyond: Beyond | None) -> dict[str, Any] | None:
    if beyond is None:
        return None
    return {"places": [str(place) for place in beyond.places], "backends": [_answer(it) for it in beyond.answers]}


def _nat(nat: NatType | str | None) -> dict[str, Any] | None:
    if nat is None:
        return None
    if isinstance(nat, str):
        return {"reason": nat}
    return {
        "external_ip": str(nat.external[0]),
        "external_port": nat.external[1],
        "translated": nat.translated,
        "mapping": nat.mapping.value,
        "filtering": nat.filtering.value,
        "loops_back": nat.loops_back,
        "meaning": nat.meaning,
    }


def _attempt(attempt: TrialResult) -> dict[str, Any]:
    return {
        "gateway": attempt.gateway,
        "protocol": attempt.request.protocol.value,
        "internal_port": attempt.request.internal_port,
        "wanted": attempt.request.suggested_port,
        "external_port": attempt.external_port or None,
        "lifetime": attempt.lifetime,
        "error": type(attempt.error).__name__ if attempt.error else None,
        "reason": str(attempt.error) if attempt.error else attempt.skipped or attempt.left or None,
    }
