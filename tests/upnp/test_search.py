import socket
import threading
from collections import Counter
from contextlib import ExitStack, closing
from ipaddress import IPv4Address
from threading import Event
from typing import TYPE_CHECKING, cast

import pytest
from tests.stopwatch import Stopwatch

from portmap_upnp.discovery.answer_quota import MAX_OTHER_HOSTS, PER_HOST, AnswerQuota
from portmap_upnp.discovery.search import Asked, DeviceSeen, Search, _RunningSearch
from portmap_upnp.discovery.ssdp import TARGETS, m_search

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.upnp.conftest import SearchAnswerer

HERE = "http://127.0.0.1:5000/root.xml"


@pytest.fixture
def stop() -> Event:
    return Event()


def first(sightings: "Iterator[DeviceSeen]") -> str:
    with closing(cast("Generator[DeviceSeen, None, None]", sightings)):
        return str(next(sightings).location)


def test_the_usual_target_is_asked_for_first(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    assert first(answerer.search().devices(stop)) == HERE
    assert answerer.heard[0] == m_search(TARGETS[0])


def test_a_moment_later_all_targets_are_asked_for(answerer: "SearchAnswerer", stop: Event) -> None:
    list(answerer.search(0.3).devices(stop))
    assert answerer.heard == [m_search(target) for target in TARGETS]


def test_a_lost_question_is_asked_again(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    answerer.lost = len(TARGETS)
    assert first(answerer.search().devices(stop)) == HERE


def test_the_same_answer_to_five_questions_is_one_sighting(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    assert [str(it.location) for it in answerer.search(0.2).devices(stop)] == [HERE]


def test_a_bad_answer_before_a_good_one_does_no_harm(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.answers += [b"", b"\xff" * 2000, b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 9000]
    answerer.points_to("file:///etc/passwd", "https://127.0.0.1/", "http://me@127.0.0.1/", HERE)
    assert first(answerer.search().devices(stop)) == HERE


def test_a_flood_from_one_host_is_cut_off(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(*(f"http://127.0.0.1:{port}/" for port in range(1000, 1100)))
    assert len(list(answerer.search(0.2).devices(stop))) == PER_HOST


def test_without_an_answer_the_search_ends_at_the_timeout(answerer: "SearchAnswerer", stop: Event) -> None:
    with Stopwatch() as watch:
        assert list(answerer.search(0.2).devices(stop)) == []
    assert watch.elapsed >= 0.2
    assert watch.seconds < 0.5


def test_a_search_that_is_told_to_stop_stops(answerer: "SearchAnswerer", stop: Event) -> None:
    stop.set()
    assert list(answerer.search(60).devices(stop)) == []


def test_a_gateway_without_a_route_does_not_spoil_the_search(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    assert first(answerer.search(gateways=("255.255.255.255", "127.0.0.1")).devices(stop)) == HERE


def test_by_default_the_standard_group_and_port_are_asked() -> None:
    assert (Search().multicast, Search().port) == ("239.255.255.250", 1900)


def test_a_search_at_one_host_asks_no_other() -> None:
    here = Search().at(IPv4Address("192.168.1.1"))
    assert (list(here.gateways()), here.multicast) == ([IPv4Address("192.168.1.1")], None)


@pytest.mark.parametrize("host", ["192.168.1.9", "[::1]", "(null)", "8.8.8.8", "router.lan"])
def test_a_location_that_names_another_host_is_asked_for_at_the_sender(
    host: str, answerer: "SearchAnswerer", stop: Event
) -> None:
    answerer.points_to(f"http://{host}:5000/root.xml")
    (seen,) = answerer.search(0.2).devices(stop)
    assert (str(seen.location), seen.named) == (HERE, f"http://{host}:5000/root.xml")


def ssdp(location: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nST: {TARGETS[0]}\r\nLOCATION: {location}\r\n\r\n".encode()


class Bystander:
    """A host of the network beside the gateway 127.0.0.1: it answers searches that reach it by unicast."""

    def __init__(self, address: str, port: int, location: str = "") -> None:
        self.heard: list[bytes] = []
        self.location = location
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self.sock.sendto(b"", self.sock.getsockname())
        self._thread.join()
        self.sock.close()

    def _run(self) -> None:
        while (received := self.sock.recvfrom(4096))[0]:
            self.heard.append(received[0])
            if self.location:
                self.sock.sendto(ssdp(self.location), received[1])


def group_port(search: _RunningSearch) -> int:
    """The port that everybody on the network sees, as multicast questions leave from it."""
    port: int = search._asking[Asked.GROUP][0].getsockname()[1]
    return port


@pytest.fixture
def running(answerer: "SearchAnswerer") -> "Iterator[_RunningSearch]":
    search = _RunningSearch(answerer.search(0.3), None)
    search.ask(TARGETS[:1])
    yield search
    search._sockets.close()


def test_an_unproven_answer_of_another_host_leads_to_a_question_and_no_fetch(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    with closing(Bystander("127.0.0.2", answerer.port)) as other_host:
        other_host.sock.sendto(ssdp("http://127.0.0.2/cgi-bin/reboot"), ("127.0.0.1", group_port(running)))
        assert list(running.answers(stop)) == []
        assert other_host.heard == [m_search(TARGETS[0])]


def test_another_host_that_answers_a_unicast_question_is_looked_at(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    with closing(Bystander("127.0.0.2", answerer.port, "http://127.0.0.2:5000/d.xml")) as other_host:
        other_host.sock.sendto(ssdp("http://127.0.0.2:6000/forged"), ("127.0.0.1", group_port(running)))
        assert [str(it.location) for it in running.answers(stop)] == ["http://127.0.0.2:5000/d.xml"]


def test_another_host_with_a_query_in_its_location_is_not_followed(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    with closing(Bystander("127.0.0.2", answerer.port, "http://127.0.0.2/reboot?confirm=yes")) as other_host:
        other_host.sock.sendto(ssdp("http://127.0.0.2/d.xml"), ("127.0.0.1", group_port(running)))
        assert list(running.answers(stop)) == []


def forge(search: _RunningSearch, *locations: str, sender: str = "127.0.0.1", asked: Asked = Asked.GROUP) -> None:
    """Answers from the gateway's own address, as a host of the network can forge them to the group's question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((sender, 0))
        for location in locations:
            sock.sendto(ssdp(location), search._asking[asked][0].getsockname())


def test_a_forged_query_in_the_gateways_name_is_followed_only_if_the_gateway_itself_says_so(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    answerer.points_to("http://127.0.0.1:5000/desc?id=1")
    forge(running, "http://127.0.0.1/cgi-bin/reboot?confirm=yes")
    assert [str(it.location) for it in running.answers(stop)] == ["http://127.0.0.1:5000/desc?id=1"]


def test_forged_answers_in_the_gateways_name_do_not_fill_its_quota(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    forge(running, *(f"http://127.0.0.1:{port}/" for port in range(1000, 1020)))
    answerer.points_to(HERE)
    assert HERE in {str(it.location) for it in running.answers(stop)}


def test_many_other_hosts_do_not_fill_the_gateways_quota(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    with ExitStack() as stack:
        for number in range(2, 22):
            host = f"127.0.0.{number}"
            stack.enter_context(closing(Bystander(host, answerer.port, f"http://{host}:5000/d.xml")))
            forge(running, f"http://{host}:5000/d.xml", sender=host)
        answerer.points_to(HERE)
        assert HERE in {str(it.location) for it in running.answers(stop)}


def other_hosts(number: int) -> list[IPv4Address]:
    return [IPv4Address("192.168.1.2") + at for at in range(number)]


def test_other_hosts_in_turn_get_no_more_than_their_own_quota() -> None:
    quota = AnswerQuota()
    room = Counter(host for _ in range(10) for host in other_hosts(100) if quota.has_room(host, False, True))
    assert set(room.values()) == {PER_HOST}


def test_ever_new_other_hosts_get_no_more_than_a_bounded_number_of_looks_and_questions() -> None:
    quota = AnswerQuota()
    assert sum(quota.has_room(host, False, True) for host in other_hosts(10_000)) == MAX_OTHER_HOSTS
    assert sum(quota.has_room_to_ask(host) for host in other_hosts(100) * 10) == MAX_OTHER_HOSTS


def test_other_hosts_that_answer_all_they_can_leave_most_of_the_files_that_a_process_may_have_open() -> None:
    quota = AnswerQuota()
    places = sum(quota.has_room(host, False, True) for host in other_hosts(1000) for _ in range(10))
    assert places <= 128  # each is a thread and a connection, and IPv6 has as many; 1,024 files are usual


def test_one_other_host_is_asked_no_more_often_than_it_may_answer() -> None:
    quota = AnswerQuota()
    assert sum(quota.has_room_to_ask(host) for host in other_hosts(1) * 100) == PER_HOST


def test_an_answer_from_loopback_counts_only_where_loopback_was_asked(stop: Event) -> None:
    search = _RunningSearch(Search(lambda: [IPv4Address("192.0.2.1")], multicast=None, port=9, timeout=0.2), None)
    forge(search, HERE)
    with closing(search._sockets), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(ssdp(HERE), ("127.0.0.1", search._asking[Asked.GATEWAYS][0].getsockname()[1]))
        assert list(search.answers(stop)) == []


def test_another_host_is_never_taken_for_the_gateway(
    running: _RunningSearch, answerer: "SearchAnswerer", stop: Event
) -> None:
    answerer.points_to(HERE)
    with closing(Bystander("127.0.0.2", answerer.port, "http://127.0.0.2:5000/d.xml")) as other_host:
        other_host.sock.sendto(ssdp("http://127.0.0.2:5000/d.xml"), ("127.0.0.1", group_port(running)))
        seen = {str(it.location.host): it.is_gateway for it in running.answers(stop)}
    assert seen == {"127.0.0.1": True, "127.0.0.2": False}


def test_a_gateway_that_answers_from_another_address_is_known_whichever_question_it_answers_first(
    running: _RunningSearch, stop: Event
) -> None:
    """As by IPv6: it is asked at the address of the route, and answers from another one on the link."""
    for first in (Asked.GROUP, Asked.SENDER):
        forge(running, "http://127.0.0.2:5000/d.xml", sender="127.0.0.2", asked=first)
    answers = running.answers(stop)
    assert [next(answers).is_gateway] == [False]
    forge(running, "http://127.0.0.2:5000/d.xml", sender="127.0.0.2", asked=Asked.GATEWAYS)
    assert [it.is_gateway for it in answers] == [True]
