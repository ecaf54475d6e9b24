"""Queue and sender: order, retries with the same bytes, and what is given up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from telegen.otlp import retries
from telegen.otlp.columns import Cell
from telegen.otlp.families import metric_head
from telegen.otlp.http import HttpClient
from telegen.otlp.outcome import Accepted, Outcome, Refused, Retry
from telegen.otlp.points import PointEncoder
from telegen.otlp.prometheus_naming import PageFamily, PagePart
from telegen.otlp.requests import Limits, Metric, Origin, Push
from telegen.otlp.resources import encode_resource
from telegen.otlp.sender import PushQueue, Sender
from telegen.otlp.settings import Receiver
from telegen.shm.deflate import compress
from tests.otlp.receiver import Answer, ScriptedReceiver, scripted
from tests.process_tree import wait_for

SECOND = 10**9


class Events:
    """Counts what the sender reports."""

    def __init__(self) -> None:
        self.tries: list[Outcome] = []
        self.points: Counter[str] = Counter()
        self.last = 0.0
        self.refused: list[float] = []

    def tried(self, outcome: Outcome, size: int) -> None:
        """Keep the outcome of a try."""
        self.tries.append(outcome)

    def sent(self, points: int, outcome: Accepted | Refused) -> None:
        """Count points that have an outcome."""
        self.points["accepted" if isinstance(outcome, Accepted) else "refused"] += points

    def given_up(self, points: int, reason: str) -> None:
        """Count points that are given up."""
        self.points[reason] += points

    def queued(self, pushes: int, oldest: float) -> None:
        """Ignore the size of the queue."""

    def completed(self, time: float, is_accepted: bool) -> None:
        """Keep the time of the push."""
        self.last = time
        if not is_accepted:
            self.refused.append(time)


class Running:
    """A sender that runs, its queue and its receiver."""

    def __init__(self, receiver: ScriptedReceiver, size: int, interval: float, timeout: float = 30.0, starts: bool = True) -> None:
        self.receiver, self.events, self.dropped = receiver, Events(), list[Push]()
        self.served = True
        self.queue = PushQueue(size, self.drop)
        client = HttpClient(Receiver(f"{receiver.url}/v1/metrics", timeout=timeout))
        self.sender = Sender(self.queue, client, self.events, Limits(2, 1 << 20), interval)
        self.thread = threading.Thread(target=self.sender.run, daemon=True)
        if starts:
            self.thread.start()

    def drop(self, push: Push, is_begun: bool) -> None:
        """Keep a push that is dropped, and count one that was never begun, as the worker does."""
        self.dropped.append(push)
        if not is_begun:
            self.events.given_up(len(push), "queue_full")

    def push(self, time: int, points: int = 4) -> Push:
        """Put a push of some points into the queue."""
        lines = b"".join(b'kube_x{n="%d"} %d\n' % (number, time) for number in range(points))
        family = PageFamily("kube_x", metric_head("kube_x", "", "", "gauge"), b"", PointEncoder(), False)
        packed, _ = family.encode(lines)
        metric = Metric(family, [Cell(compress(packed), points)])
        origin = Origin(encode_resource({}), "s", is_served=lambda: self.served)
        push = Push(time * SECOND, [PagePart(origin, [metric])])
        self.queue.put(push)
        return push

    def wait_idle(self) -> None:
        """Wait until the queue is empty."""
        wait_for("an empty queue", lambda: len(self.queue) == 0, 10, 0.01)

    def times(self) -> list[int]:
        """Return the time of each accepted request."""
        return [next(iter({at // SECOND for _, at, _ in _points(request)})) for request in self.receiver.received]


def _points(request: object) -> Iterator[tuple[object, int, object]]:
    from tests.otlp.receiver import points_of

    yield from points_of(request.metrics)  # type: ignore[attr-defined]


@pytest.fixture
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short delays between two tries."""
    monkeypatch.setattr(retries, "BACKOFF", (0.02, 0.05))
    monkeypatch.setattr(retries, "LOOK", 0.02)


@contextmanager
def sending(timeout: float = 30.0) -> Iterator[Running]:
    """Run a sender with a queue of three pushes."""
    with scripted() as receiver:
        one = Running(receiver, 3, 0.01, timeout)
        yield one
        one.sender.give_up()
        one.thread.join(60)
        assert not one.thread.is_alive()


@pytest.fixture
def running(_short_delays: None) -> Iterator[Running]:
    """A sender with a queue of three pushes and short delays."""
    with sending() as one:
        yield one


def test_pushes_arrive_in_order_and_whole(running: Running) -> None:
    """Pushes are sent one after the other, each in as many requests as the limit asks for."""
    for number in (1, 2, 3):
        running.push(number)
    running.wait_idle()
    assert running.times() == [1, 1, 2, 2, 3, 3]
    assert running.events.points == {"accepted": 12} and running.events.last == 3.0


def test_retries_send_the_same_bytes(_short_delays: None) -> None:
    """After 503, a reset and silence the same bytes come again, and are accepted once."""
    with sending(timeout=0.5) as running:
        running.receiver.script = [Answer(503), Answer(reset=True), Answer(hang=60), Answer(429, headers={"Retry-After": "0"})]
        running.push(1, 2)
        running.wait_idle()
    # A busy machine may be too late for other answers, too.
    assert len(running.receiver.tried) >= 5 and len({request.body for request in running.receiver.tried}) == 1
    assert running.events.points == {"accepted": 2}


def test_retry_after_is_kept(running: Running) -> None:
    """A request waits as long as the receiver asks, and the next ones behind it."""
    running.receiver.script = [Answer(429, headers={"Retry-After": "1"})]
    running.push(1, 2)
    running.push(2, 2)
    running.wait_idle()
    first, second, third = running.receiver.tried
    assert second.at - first.at >= 1.0 and first.body == second.body != third.body


def test_retry_after_zero_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that always asks for another try at once is tried with growing pauses all the same."""
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: 0.0))

    class Pauses(threading.Event):
        seconds: list[float] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.seconds.append(timeout or 0.0)
            return True

    class Client:
        def pack(self, body: bytes) -> bytes:
            return body

        def send(self, packed: bytes) -> Outcome:
            return Retry("429", "", 0.0)

        def close(self) -> None: ...

    pauses = Pauses()
    delivery = retries.Delivery(Client(), pauses, lambda outcome, size: None, draw=lambda: 0.25)
    assert delivery.deliver(b"", lambda: len(pauses.seconds) < 3) is None
    assert pauses.seconds == [0.25, 0.5, 1.0]


def test_refused_requests_are_not_retried(running: Running) -> None:
    """A 400 loses its own points only."""
    running.receiver.script = [Answer(400, b"no")]
    running.push(1)
    running.wait_idle()
    assert running.events.points == {"refused": 2, "accepted": 2} and len(running.receiver.tried) == 2
    running.push(2)
    running.wait_idle()
    assert running.events.refused == [1.0]


def test_full_queue_drops_the_oldest_push_whole(running: Running) -> None:
    """While the receiver is away the newest pushes stay; the ones before them are counted, begun or not, and nothing comes twice."""
    running.receiver.usual = Answer(503)
    for number in range(1, 8):
        running.push(number)
    assert [push.time // SECOND for push in running.dropped] == [1, 2, 3, 4]
    running.receiver.usual = Answer()
    running.wait_idle()
    wait_for("all points", lambda: sum(running.events.points.values()) >= 7 * 4, 10, 0.01)
    # A request of a push that was dropped may be on its way when the receiver is back.
    times = running.times()
    assert times[-6:] == [5, 5, 6, 6, 7, 7] and times == sorted(times)
    assert running.events.points == {"accepted": 2 * len(times), "queue_full": 28 - 2 * len(times)}


def test_push_that_was_dropped_before_it_began() -> None:
    """The queue tells a push that the sender has taken, which counts its own rest, from one that nothing else would count."""
    dropped: list[tuple[int, bool]] = []
    queue = PushQueue(1, lambda push, is_begun: dropped.append((push.time, is_begun)))
    queue.put(Push(1, []))
    first = queue.first(0.0)
    queue.put(Push(2, []))
    queue.put(Push(3, []))
    assert first == Push(1, []) and dropped == [(1, True), (2, False)]
    assert queue.not_begun() == [Push(3, [])] and queue.first(0.0) == Push(3, []) and queue.not_begun() == []


def test_delay_of_the_receiver_holds_for_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is given up does not shorten the delay that the receiver has asked for."""
    monkeypatch.setattr(retries, "LOOK", 0.01)
    outcomes: Iterator[Outcome] = iter([Retry("429", "", 1000.0), Accepted()])

    class Client:
        def pack(self, body: bytes) -> bytes:
            return body

        def send(self, packed: bytes) -> Outcome:
            return next(outcomes)

        def close(self) -> None: ...

    tried: list[Outcome] = []
    stop = threading.Event()
    delivery = retries.Delivery(Client(), stop, lambda outcome, size: tried.append(outcome))
    assert delivery.deliver(b"first", lambda: not tried) is None
    looks = iter([True, False, False])
    assert delivery.deliver(b"second", lambda: next(looks)) is None
    assert len(tried) == 1


def test_lost_shard_is_not_sent(running: Running) -> None:
    """A request that waits for its retry is given up when another agent serves its series."""
    running.receiver.usual = Answer(503, headers={"Retry-After": "3"})
    running.push(1, 2)
    wait_for("a try", lambda: bool(running.events.tries), 10, 0.01)
    running.served = False
    running.receiver.usual = Answer()
    running.wait_idle()
    assert running.events.points == {"not_served": 2} and not running.receiver.received


def test_requests_are_spread_over_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests of a push take most of the interval; a second push that waits ends the pauses."""
    now, pauses = [0.0], list[float]()
    monkeypatch.setattr("telegen.otlp.sender.time", SimpleNamespace(monotonic=lambda: now[0]))

    class Pauses(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            now[0] += timeout or 0.0
            return False

    with scripted() as receiver:
        one = Running(receiver, 3, 10.0, starts=False)
        one.sender._hurry = Pauses()
        for number, waits in ((1, [2.0, 2.0, 2.0]), (2, [])):
            push = one.push(number, 8)
            if not waits:
                one.push(3, 8)
            one.sender._send(push)
            one.queue.remove(push)
            assert pauses == pytest.approx(waits)
            pauses.clear()
        assert one.times() == [1] * 4 + [2] * 4
