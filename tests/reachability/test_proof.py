"""Proof: the checks of a held port in, events, steps and pauses out. On scripted time."""

from dataclasses import replace

from portmap.model import Protocol
from portmap.reachability.proof import LONGEST_PAUSE, MEND_STEPS, SETTLING, Proof
from portmap.reachability.repair_step import RepairStep
from portmap.reachability.verdict import Blame, Reachability, Verdict

EVERY = 5.0


def found(verdict: Verdict, by: str = "") -> Reachability:
    return Reachability(Protocol.TCP, 25565, 25565, None, verdict, "", by=by)


OPEN, UNKNOWN = found(Verdict.OPEN), found(Verdict.UNKNOWN)
SHUT, NO_PROGRAM = found(Verdict.CLOSED, Blame.ON_THE_WAY), found(Verdict.CLOSED, Blame.HOST)


def test_a_reached_port_is_checked_again_after_its_interval() -> None:
    proof, step = Proof(EVERY).after(OPEN, 100.0)
    assert (proof.reachable, proof.check_at, step) == (True, 105.0, None)


def test_an_unreachable_port_is_mended_step_by_step_each_proved_before_the_next() -> None:
    proof, now, steps = Proof(EVERY), 0.0, []
    for _ in MEND_STEPS:
        proof, step = proof.after(SHUT, now)
        steps.append(step)
        assert proof.check_at == now + SETTLING
        now = proof.check_at
    assert steps == [RepairStep.RENEW, RepairStep.REOPEN, RepairStep.MOVE]


def test_a_step_that_helped_ends_the_round() -> None:
    proof, _ = Proof(EVERY).after(SHUT, 0.0)
    proof, step = proof.after(OPEN, 1.5)
    assert (proof.tried, proof.reachable, step) == (0, True, None)


def test_rounds_that_help_nothing_come_less_often_up_to_an_hour() -> None:
    proof, now, pauses = Proof(EVERY), 0.0, []
    for _ in range(15):
        for _ in range(len(MEND_STEPS) + 1):
            proof, step = proof.after(SHUT, now)
            if step is None:
                pauses.append(proof.check_at - now)
            now = proof.check_at
    assert pauses[:4] == [10.0, 20.0, 40.0, 80.0]
    assert pauses[-1] == LONGEST_PAUSE


def test_where_no_program_listens_nothing_at_the_gateway_is_tried() -> None:
    proof, step = Proof(EVERY).after(NO_PROGRAM, 0.0)
    assert (proof.reachable, proof.check_at, step) == (False, EVERY, None)


def test_the_port_of_another_host_is_asked_for_again_and_never_shut_or_moved() -> None:
    proof, now, steps = Proof(EVERY), 0.0, []
    for _ in range(4):
        proof, step = proof.after(replace(SHUT, host="192.168.1.50"), now)
        steps.append(step)
        now = proof.check_at
    assert steps == [RepairStep.RENEW, None, RepairStep.RENEW, None]


def test_what_could_not_be_measured_changes_nothing() -> None:
    proof, _ = Proof(EVERY).after(OPEN, 0.0)
    proof, step = proof.after(UNKNOWN, 5.0)
    assert (proof.reachable, proof.check_at, step) == (True, 10.0, None)


def test_another_mapping_is_proved_soon_but_not_in_the_middle_of_a_round() -> None:
    proof, _ = Proof(3600.0).after(OPEN, 0.0)
    assert proof.moved(10.0).check_at == 10.0 + SETTLING
    proof, _ = proof.after(SHUT, 20.0)
    assert proof.moved(20.1) == proof
