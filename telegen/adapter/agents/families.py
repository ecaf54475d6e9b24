"""Samples of kube_* families, asked from the agents that serve the shards.

A web process has connections of its own to these few agents. An answer counts for 15 s; one thread asks for a set of names, and
others that want it are given the last answer meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import quote

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

from telegen import __version__
from telegen.adapter.agents.connection import Identity
from telegen.adapter.agents.usage import FamiliesAnswer, FamilySample
from telegen.config.agent_api import FAMILIES, MOST_FAMILIES
from telegen.process.http_client import cause

MAX_AGE, RETRY = 15.0, 2.0
"""Seconds for which an answer counts, and one with a problem."""
TIMEOUT = 5.0
"""Seconds of a request to an agent."""
MOST_SETS = 256
"""Sets of names whose answers are kept."""
PARALLEL = 8
"""Requests to agents at a time."""
FORGET = 300.0
"""Seconds after which a shard that no agent serves any more is not missed: the cluster has fewer shards now."""
SHOWN = 10
"""Missing shards that a problem lists."""


class _Failed(Exception):
    """An agent does not answer; the message is the cause."""


class _Kept:
    """Answer for one set of names.

    Attributes:
        lock: held by the thread that asks.
        until: time at which the answer does not count any more.
    """

    def __init__(self) -> None:
        self.lock, self.until = threading.Lock(), float("-inf")
        self.answer: FamiliesAnswer | None = None


class FamiliesReader:
    """Reader of one web process. Threads share it."""

    def __init__(
        self,
        identity: Callable[[], Identity | None],
        holders: Callable[[], Mapping[int, str]],
        shards: int,
        staleness: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            identity: returns the certificates in force.
            holders: returns the address of the agent that serves each shard.
            shards: number of shards, if holders have not shown more lately.
            staleness: seconds after which an answer is not given while a newer one is awaited.
        """
        self._identity, self._holders, self._shards, self._staleness, self._clock = identity, holders, shards, staleness, clock
        self._served: dict[int, float] = {}
        self._kept: OrderedDict[frozenset[str], _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._pool: tuple[int, urllib3.PoolManager] | None = None
        self._threads: ThreadPoolExecutor | None = None

    def read(self, names: Collection[str]) -> FamiliesAnswer:
        """Return the samples of families. Blocks for some seconds at the longest."""
        kept = self._kept_of(frozenset(names))
        if kept.answer and self._clock() < kept.until:
            return kept.answer
        # The first answer is awaited; later the last one is given while another thread asks.
        is_usable = kept.answer is not None and time.time() - kept.answer.time <= self._staleness
        if not kept.lock.acquire(blocking=not is_usable):
            assert kept.answer
            return kept.answer
        try:
            if kept.answer is None or self._clock() >= kept.until:
                kept.answer = self._ask(sorted(names))
                kept.until = self._clock() + (RETRY if kept.answer.problem else MAX_AGE)
            return kept.answer
        finally:
            kept.lock.release()

    def close(self) -> None:
        """End the threads and the connections."""
        with self._lock:
            if self._threads:
                self._threads.shutdown()
            if self._pool:
                self._pool[1].clear()

    def _kept_of(self, names: frozenset[str]) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(names, _Kept())
            self._kept.move_to_end(names)
            if len(self._kept) > MOST_SETS:
                self._kept.popitem(last=False)
            return kept

    def _ask(self, names: list[str]) -> FamiliesAnswer:
        """Ask each holder once, several at a time."""
        holders, identity, moment = self._holders(), self._identity(), time.time()
        if not identity:
            return FamiliesAnswer({}, 0.0, "there is no client certificate for the agents yet")
        problems = self._missing(holders)
        pool, samples = self._pool_of(identity), dict[str, list[FamilySample]]()
        asked = [(address, self._executor.submit(_request, pool, address, names)) for address in sorted(set(holders.values()))]
        for address, answer in asked:
            problems += _collect(samples, address, answer, frozenset(names))
        return FamiliesAnswer(samples, moment if samples or not problems else 0.0, "; ".join(problems))

    def _missing(self, holders: Collection[int]) -> list[str]:
        """Return a line if shards are missing: those below the highest one that was served lately."""
        now = self._clock()
        with self._lock:
            lately = {shard: moment for shard, moment in self._served.items() if now - moment < FORGET}
            self._served = {**lately, **dict.fromkeys(holders, now)}
            total = max([self._shards, *(shard + 1 for shard in self._served)])
        missing = sorted(set(range(total)).difference(holders))
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        return [f"no agent serves shard {', '.join(map(str, missing[:SHOWN]))}{more} of kube_* families"] if missing else []

    @property
    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            self._threads = self._threads or ThreadPoolExecutor(PARALLEL, "families")
            return self._threads

    def _pool_of(self, identity: Identity) -> urllib3.PoolManager:
        """Return connections with the certificates in force."""
        with self._lock:
            if not self._pool or self._pool[0] != identity.number:
                pool = urllib3.PoolManager(
                    num_pools=PARALLEL,
                    ssl_context=identity.context,
                    server_hostname=identity.server_name,
                    assert_hostname=identity.server_name,
                    timeout=urllib3.Timeout(total=TIMEOUT),
                    retries=urllib3.Retry(0, redirect=False, status=False),
                )
                self._pool = identity.number, pool
            return self._pool[1]


def _collect(samples: dict[str, list[FamilySample]], address: str, answer: Future[str], names: frozenset[str]) -> list[str]:
    """Add the samples of an agent; return its problem, if it has one."""
    try:
        for metric in text_string_to_metric_families(answer.result()):
            for sample in metric.samples:
                family = sample.name if sample.name in names else metric.name
                if family in names:
                    samples.setdefault(family, []).append(FamilySample(sample.name, sample.labels, sample.value))
    except _Failed as error:
        return [f"agent {address}: {error}"]
    except (ValueError, KeyError, IndexError) as error:
        # The parser has no exception of its own.
        return [f"agent {address}: its families are not in the text format: {str(error)[:100]}"]
    return []


def _request(pool: urllib3.PoolManager, address: str, names: list[str]) -> str:
    """Return the families of one agent as text."""
    url = f"https://{address}{FAMILIES}?names={quote(','.join(names), safe=',')}"
    try:
        answer = pool.request("GET", url, headers={"User-Agent": f"telegen/{__version__}"}, preload_content=False)
        with answer:
            body = answer.read(MOST_FAMILIES + 1)
    except (HTTPError, OSError) as error:
        raise _Failed(cause(error)) from error
    if answer.status != 200:
        raise _Failed(f"HTTP {answer.status}")
    if len(body) > MOST_FAMILIES:
        raise _Failed(f"its families have more than {MOST_FAMILIES >> 20} MiB; select fewer")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _Failed("its families are not UTF-8") from error
