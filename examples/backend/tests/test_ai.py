"""Sample answers and their cache in a real Redis Cluster."""

import time
import uuid

import httpx
import pytest

from backend_process import Backend


def ask(backend: Backend, question: str, **parameters: object) -> httpx.Response:
    return backend.client.get("/ai/answer", params={"question": question, **parameters})


def new_question() -> str:
    return f"What is {uuid.uuid4().hex}?"


def test_the_first_answer_is_thought_and_the_second_cached(redis_backend: Backend) -> None:
    question = new_question()
    first, second = ask(redis_backend, question), ask(redis_backend, question)
    assert (first.json()["cached"], first.headers["X-Cache"]) == (False, "MISS")
    assert (second.json()["cached"], second.headers["X-Cache"]) == (True, "HIT")
    assert first.json()["answer"] == second.json()["answer"]
    assert second.json()["answered_by"] == second.headers["X-Served-By"]


def test_the_answer_says_that_it_is_a_sample(redis_backend: Backend) -> None:
    assert "sample answer" in ask(redis_backend, new_question()).json()["answer"]


def test_thinking_takes_the_time_asked_for_and_the_cache_does_not(redis_backend: Backend) -> None:
    question = new_question()
    start = time.monotonic()
    ask(redis_backend, question, think_ms=700)
    thought = time.monotonic()
    ask(redis_backend, question, think_ms=700)
    assert thought - start >= 0.7
    assert time.monotonic() - thought < 0.5


def test_hits_and_misses_are_counted(redis_backend: Backend) -> None:
    hits = redis_backend.metric("redis_cache_hits_total")
    misses = redis_backend.metric("redis_cache_misses_total")
    question = new_question()
    for _ in range(3):
        ask(redis_backend, question)
    assert redis_backend.metric("redis_cache_hits_total") == hits + 2
    assert redis_backend.metric("redis_cache_misses_total") == misses + 1


def test_cached_answers_expire(redis_backend: Backend, redis_cluster) -> None:
    ask(redis_backend, new_question())
    port, key = next(
        (port, key)
        for port in redis_cluster.ports
        for key in redis_cluster.cli(port, "KEYS", "answer:*").split()
    )
    assert 0 < int(redis_cluster.cli(port, "TTL", key)) <= 300


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"question": ""},
        {"question": "x" * 2001},
        {"question": "q", "think_ms": -1},
        {"question": "q", "think_ms": 10_001},
        {"question": "q", "think_ms": "long"},
    ],
)
def test_bad_parameters_are_422(redis_backend: Backend, parameters: dict[str, object]) -> None:
    assert redis_backend.client.get("/ai/answer", params=parameters).status_code == 422


def test_without_redis_the_answer_is_thought_each_time(storeless_backend: Backend) -> None:
    for _ in range(2):
        answer = ask(storeless_backend, "still there?")
        assert answer.status_code == 200
        assert answer.headers["X-Cache"] == "BYPASS"
        assert answer.json()["cached"] is False
    assert storeless_backend.metric("redis_cache_bypasses_total") >= 2
    assert storeless_backend.metric('store_errors_total{store="redis"}') >= 2
