"""Answers: a sample of slow work behind a cache. No model is involved."""

import asyncio
import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.errors import StoreFailures
from app.metrics import Metrics
from app.routes.dependencies import CurrentMetrics, CurrentSettings, Redis
from app.stores import RedisStore, StoreUnavailable

router = APIRouter(prefix="/ai", tags=["ai"])

# The cache saves less than this when thinking is quick, so waiting longer never pays.
CACHE_TIMEOUT = 0.5

Question = Annotated[str, Query(min_length=1, max_length=2_000)]
ThinkMilliseconds = Annotated[int | None, Query(ge=0, le=10_000)]


class Answer(BaseModel):
    """An answer, whether it came from the cache, and the pod that gave it."""

    question: str
    answer: str
    cached: bool
    answered_by: str


class AnswerCache:
    """Redis as a cache: trouble with it costs time to think again, never the answer."""

    def __init__(self, redis: RedisStore, metrics: Metrics, failures: StoreFailures) -> None:
        self._redis = redis
        self._metrics = metrics
        self._failures = failures

    async def get(self, key: str) -> tuple[str | None, str]:
        """Return the cached text, if any, with HIT, MISS or BYPASS."""
        try:
            text = await self._redis.run(lambda: self._redis.client.get(key), CACHE_TIMEOUT)
        except StoreUnavailable as error:
            self._failures.record(error)
            self._metrics.cache_bypasses.inc()
            return None, "BYPASS"
        if text is None:
            self._metrics.cache_misses.inc()
            return None, "MISS"
        self._metrics.cache_hits.inc()
        return text, "HIT"

    async def put(self, key: str, text: str, ttl_seconds: int) -> None:
        """Keep a text if the cache takes it."""
        try:
            await self._redis.run(
                lambda: self._redis.client.set(key, text, ex=ttl_seconds), CACHE_TIMEOUT
            )
        except StoreUnavailable as error:
            self._failures.record(error)


@router.get("/answer")
async def answer(
    question: Question,
    request: Request,
    response: Response,
    redis: Redis,
    settings: CurrentSettings,
    metrics: CurrentMetrics,
    think_ms: ThinkMilliseconds = None,
) -> Answer:
    """Answer from the cache (X-Cache: HIT) or think first (MISS; BYPASS without Redis)."""
    cache = AnswerCache(redis, metrics, request.app.state.failures)
    key = f"answer:{fingerprint(question)}"
    text, source = await cache.get(key)
    if text is None:
        think_time = settings.ai_think_time_ms if think_ms is None else think_ms
        await asyncio.sleep(think_time / 1000)
        text = sample_answer(question)
        if source == "MISS":
            await cache.put(key, text, settings.ai_cache_ttl_seconds)
    response.headers["X-Cache"] = source
    return Answer(
        question=question,
        answer=text,
        cached=source == "HIT",
        answered_by=request.app.state.hostname,
    )


def fingerprint(question: str) -> str:
    """SHA-256 of the question without its outer blanks, as hexadecimal."""
    return hashlib.sha256(question.strip().encode()).hexdigest()


def sample_answer(question: str) -> str:
    """A text that depends on the question alone, and says what it is."""
    return (
        "This is a sample answer, computed locally without any model."
        f" The question has {len(question.split())} words"
        f" and the fingerprint {fingerprint(question)[:12]}."
    )
