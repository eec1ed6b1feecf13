"""Sessions against a real Redis Cluster."""

import pytest

from backend_process import Backend


def test_a_session_can_be_read_back(redis_backend: Backend) -> None:
    created = redis_backend.client.post("/sessions", json={"user": "Zoë"})
    assert created.status_code == 201
    session = redis_backend.client.get(f"/sessions/{created.json()['token']}")
    assert session.status_code == 200
    assert session.json()["user"] == "Zoë"
    assert 3590 <= session.json()["expires_in_seconds"] <= 3600


def test_sessions_spread_over_all_nodes(redis_backend: Backend, redis_cluster) -> None:
    tokens = [
        redis_backend.client.post("/sessions", json={"user": "u"}).json()["token"]
        for _ in range(60)
    ]
    assert len(set(tokens)) == 60
    for port in redis_cluster.ports:
        assert redis_cluster.cli(port, "KEYS", "session:*").split()
    for token in tokens:
        assert redis_backend.client.get(f"/sessions/{token}").status_code == 200


def test_an_expired_session_is_gone(start_backend, absent_mongodb_uri: str, redis_cluster) -> None:
    with start_backend(
        MONGODB_URI=absent_mongodb_uri, REDIS_URL=redis_cluster.url, SESSION_TTL_SECONDS="1"
    ) as backend:
        token = backend.client.post("/sessions", json={"user": "u"}).json()["token"]
        backend.wait_for(f"/sessions/{token}", lambda answer: answer.status_code == 404)


def test_an_unknown_token_is_404(redis_backend: Backend) -> None:
    assert redis_backend.client.get("/sessions/" + "x" * 43).status_code == 404


@pytest.mark.parametrize("token", ["short", "x" * 44, "x" * 42 + "*"])
def test_a_malformed_token_is_422(redis_backend: Backend, token: str) -> None:
    assert redis_backend.client.get(f"/sessions/{token}").status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"user": ""}',
        b'{"user": 1}',
        b'{"user": NaN}',
        b'{"user": "\\ud800"}',
        b'{"user": "' + b"x" * 201 + b'"}',
    ],
)
def test_a_bad_body_is_422(redis_backend: Backend, body: bytes) -> None:
    answer = redis_backend.client.post(
        "/sessions", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_without_redis_the_answer_is_503_and_names_it(storeless_backend: Backend) -> None:
    answer = storeless_backend.client.post("/sessions", json={"user": "u"})
    assert answer.status_code == 503
    assert answer.json()["store"] == "redis"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Traceback" not in answer.text
    assert "127.0.0.1" not in answer.text
