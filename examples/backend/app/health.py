"""Store health: pings shared by every probe, and how long the process has been cut off."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.stores import StoreUnavailable

# Below the kubelet's default probe timeout of 1 s, so that the reason arrives.
PING_TIMEOUT = 0.8
LIVENESS_WAIT = 0.5
RESULT_MAX_AGE = 1.0
REASON_MAX_LENGTH = 300

log = logging.getLogger("app.health")


class Pingable(Protocol):
    """A store that can say whether it answers."""

    name: str

    async def ping(self, timeout: float) -> None: ...


@dataclass(frozen=True)
class PingResult:
    """What one store answered; `reason` is None when it did."""

    ok: bool
    milliseconds: float
    reason: str | None = None


class StoreHealth:
    """Pings all stores at once, at most once per `RESULT_MAX_AGE` however many ask."""

    def __init__(
        self,
        stores: Sequence[Pingable],
        redact: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = stores
        self._redact = redact
        self._clock = clock
        self._round: asyncio.Task[None] | None = None
        self._finished_at = float("-inf")
        self._last_answer_at = clock()
        self.results: dict[str, PingResult] = {}

    @property
    def isolated_seconds(self) -> float:
        """Time since any store last answered (or since start)."""
        return self._clock() - self._last_answer_at

    async def refresh(self, wait: float | None = None) -> dict[str, PingResult]:
        """Return results no older than `RESULT_MAX_AGE`; after `wait` seconds, the last known."""
        if self._round is None or (
            self._round.done() and self._clock() - self._finished_at >= RESULT_MAX_AGE
        ):
            self._round = asyncio.create_task(self._ping_all())
        await asyncio.wait([self._round], timeout=wait)
        return self.results

    async def _ping_all(self) -> None:
        answers = await asyncio.gather(*(self._ping(store) for store in self._stores))
        fresh = {store.name: answer for store, answer in zip(self._stores, answers, strict=True)}
        self._log_changes(fresh)
        self.results = fresh
        self._finished_at = self._clock()
        if any(answer.ok for answer in answers):
            self._last_answer_at = self._finished_at

    async def _ping(self, store: Pingable) -> PingResult:
        start = self._clock()
        try:
            await store.ping(PING_TIMEOUT)
            reason = None
        except StoreUnavailable as error:
            reason = self._redact(error.reason)[:REASON_MAX_LENGTH]
        except Exception as error:  # a probe must answer, whatever a driver raises
            log.exception("%s: ping failed in an unforeseen way", store.name)
            reason = type(error).__name__
        elapsed = round((self._clock() - start) * 1000, 1)
        return PingResult(ok=reason is None, milliseconds=elapsed, reason=reason)

    def _log_changes(self, fresh: dict[str, PingResult]) -> None:
        for name, answer in fresh.items():
            known = self.results.get(name)
            if known is not None and known.ok == answer.ok:
                continue
            if answer.ok:
                log.info("%s answers", name)
            else:
                log.warning("%s does not answer: %s", name, answer.reason)
