"""The contract suites can fail: each fault of `faulty_*.py` breaks the promise that it should."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.timeout(300)  # its fixture runs a whole suite: 8 s, and on a busy machine over a minute
HERE = Path(__file__).parent
PLUGINS = [HERE / "sound.py", *sorted(HERE.glob("faulty_*.py"))]
BROKEN = {
    "TestKindless": "test_it_declares_its_kind",
    "TestHookless": "test_it_has_the_hooks_that_its_group_requires_and_no_misspelt_one",
    "TestMisnamedArgument": "test_it_has_the_hooks_that_its_group_requires_and_no_misspelt_one",
    "TestDefaultValue": "test_no_hook_gives_an_argument_a_default_value",
    "TestCarelessParser": "test_a_strange_argument_is_a_spec_error_or_accepted_and_nothing_is_sent",
    "TestParserThatLooksUp": "test_a_strange_argument_is_a_spec_error_or_accepted_and_nothing_is_sent",
    "TestNoAddress": "test_it_tells_the_external_address",
    "TestOtherPort": "test_what_it_says_was_granted_is_what_the_gateway_holds",
    "TestMadeUpLifetime": "test_what_it_says_was_granted_is_what_the_gateway_holds",
    "TestPortNought": "test_without_a_suggested_port_some_external_port_is_granted",
    "TestMovingRenewal": "test_asked_again_it_keeps_the_external_port",
    "TestSecondMapping": "test_asked_again_it_makes_no_second_mapping",
    "TestOneProtocol": "test_tcp_and_udp_of_one_port_are_two_mappings",
    "TestNoDeletion": "test_a_deleted_mapping_is_gone",
    "TestDeletionOfBoth": "test_deleting_one_protocol_leaves_the_other",
    "TestDeletionOfNothing": "test_deleting_twice_is_harmless",
    "TestRobber": "test_a_port_that_another_host_holds_is_left_to_it",
    "TestVandal": "test_a_mapping_of_another_host_is_never_deleted",
    "TestNeighbourly": "test_what_was_mapped_to_another_host_can_be_deleted",
    "TestBareOSError": "test_a_gateway_that_never_answers_is_an_error_in_time",
    "TestNeverReturns": "test_a_gateway_that_falls_silent_is_an_error_in_time",
    "TestHappyEver": "test_a_gateway_that_falls_silent_is_an_error_in_time",
    "TestGrudge": "test_a_failure_is_not_remembered",
    "TestAsciiOnly": "test_a_strange_name_changes_nothing",
    "TestOneThreadOnly": "test_it_tells_the_external_address",
    "TestNameless": "test_its_name_is_short_and_printable_whatever_happens",
    "TestBusyWatch": "test_a_watch_begins_at_once_and_may_be_ended_twice",
    "TestWatchEndedOnce": "test_a_watch_begins_at_once_and_may_be_ended_twice",
    "TestTalkativeStatic": "test_it_sends_nothing",
    "TestStaticWithoutASense": "test_it_grants_the_suggested_port",
    "TestImpatient": "test_it_takes",
    "TestIncurious": "test_it_ignores_an_event_that_it_does_not_know",
    "TestOrderly": "test_it_takes_events_in_any_order_and_again",
    "TestSleeper": "test_it_takes",
    "TestScribbler": "test_a_signed_record_is_one_printable_line",
    "TestPicky": "test_it_takes_the_state",
    "TestConservative": "test_it_converges_to_the_newest_state",
    "TestRepetitive": "test_told_twice_it_shows_the_same",
    "TestOptimist": "test_a_port_that_is_lost_is_no_longer_shown",
    "TestCarefree": "test_a_dead_target_is_an_error_in_time_and_is_not_remembered",
    "TestResentful": "test_a_dead_target_is_an_error_in_time_and_is_not_remembered",
    "TestWordy": "test_it_says_nothing_or_a_few_words_about_what_the_target_has",
    "TestAnonymous": "test_its_name_is_short_and_printable",
}
Outcomes = Mapping[str, Mapping[str, set[str]]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Class -> "passed", "skipped" or "broken" -> promises."""
    report = tmp_path_factory.mktemp("suite") / "report.xml"
    options = ("-q", "--tb=no", "-p", "no:cacheprovider", f"--junit-xml={report}")
    subprocess.run([sys.executable, "-m", "pytest", *map(str, PLUGINS), *options], capture_output=True, check=False)
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  # our own run wrote it
        children = {child.tag for child in case}
        outcome = "skipped" if "skipped" in children else "broken" if children & {"failure", "error"} else "passed"
        found[case.get("classname", "").rpartition(".")[2]][outcome].add(case.get("name", "").partition("[")[0])
    return found


@pytest.mark.parametrize(("fault", "promise"), BROKEN.items(), ids=BROKEN)
def test_the_fault_breaks_its_promise(fault: str, promise: str, outcomes: Outcomes) -> None:
    assert promise in outcomes[fault]["broken"]


def test_every_fault_is_in_the_table(outcomes: Outcomes) -> None:
    assert {name for name, found in outcomes.items() if found["broken"]} == set(BROKEN)


def test_every_promise_can_be_broken(outcomes: Outcomes) -> None:
    promises = {promise for found in outcomes.values() for those in found.values() for promise in those}
    assert promises == {promise for found in outcomes.values() for promise in found["broken"]}


@pytest.mark.parametrize("sound", ["TestSound", "TestSoundPublisher"])
def test_a_sound_plugin_keeps_every_promise(sound: str, outcomes: Outcomes) -> None:
    assert not outcomes[sound]["broken"] | outcomes[sound]["skipped"]
    assert len(outcomes[sound]["passed"]) >= 7


def test_a_loop_backend_without_a_gateway_to_test_against_has_its_class_proved(outcomes: Outcomes) -> None:
    found = outcomes["TestWithoutAGateway"]
    assert found["skipped"]
    assert found["passed"] >= {"test_it_declares_its_kind", "test_no_hook_gives_an_argument_a_default_value"}
