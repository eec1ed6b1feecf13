"""Items against a real replica set, and what happens without one."""

import math
from concurrent.futures import ThreadPoolExecutor

import pymongo
import pytest

from backend_process import Backend


@pytest.mark.parametrize(
    "value",
    ["text", "1.5", "true", "", "Zoë \u0000 end", 0, -(2**63), 2**63 - 1, 1.5, True, False, None],
)
def test_an_item_can_be_read_back_unchanged(full_backend: Backend, value: object) -> None:
    created = full_backend.client.post("/items", json={"name": "n", "value": value})
    assert created.status_code == 201
    item = full_backend.client.get(f"/items/{created.json()['id']}")
    assert item.json() == created.json()
    assert item.json()["value"] == value
    assert type(item.json()["value"]) is type(value)


def test_listing_gives_the_newest_first_up_to_the_limit(full_backend: Backend) -> None:
    for number in range(4):
        full_backend.client.post("/items", json={"name": f"listed-{number}", "value": number})
    names = [item["name"] for item in full_backend.client.get("/items?limit=3").json()]
    assert names == ["listed-3", "listed-2", "listed-1"]


def test_an_unknown_item_is_404(full_backend: Backend) -> None:
    assert full_backend.client.get("/items/" + "0" * 24).status_code == 404


def test_the_pool_never_grows_beyond_its_size(full_backend: Backend) -> None:
    with ThreadPoolExecutor(40) as pool:
        statuses = list(
            pool.map(lambda _: full_backend.client.get("/items").status_code, range(200))
        )
    assert set(statuses) == {200}
    assert full_backend.metric("mongodb_pool_max_size") == 7
    assert 1 <= full_backend.metric("mongodb_pool_connections") <= 7 * 3
    assert full_backend.metric("mongodb_pool_connections_in_use") == 0


def test_the_index_appears_by_itself(mongodb_uri: str, start_backend, redis_cluster) -> None:
    database = "test_index"
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(database)
        with start_backend(
            MONGODB_URI=mongodb_uri, MONGODB_DATABASE=database, REDIS_URL=redis_cluster.url
        ) as backend:
            backend.wait_for("/", lambda _: "indexes are in place" in backend.log())
        keys = [dict(index["key"]) for index in client[database].items.list_indexes()]
        assert {"created_at": -1} in keys


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}",
        b'{"name": "n"}',
        b'{"name": "", "value": 1}',
        b'{"name": "n", "value": NaN}',
        b'{"name": "n", "value": Infinity}',
        b'{"name": "n", "value": 9223372036854775808}',
        b'{"name": "n", "value": ["a"]}',
        b'{"name": "n", "value": {"$gt": ""}}',
        b'{"name": {"$gt": ""}, "value": 1}',
        b'{"name": "n", "value": "\\ud800"}',
        b'{"name": "n", "value": "' + b"x" * 10_001 + b'"}',
    ],
)
def test_a_bad_body_is_422(redis_backend: Backend, body: bytes) -> None:
    answer = redis_backend.client.post(
        "/items", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/items/1", "/items/" + "g" * 24, "/items?limit=0", "/items?limit=101"]
)
def test_a_bad_id_or_limit_is_422(redis_backend: Backend, path: str) -> None:
    assert redis_backend.client.get(path).status_code == 422


@pytest.mark.parametrize("path", ["/items", "/items/" + "0" * 24])
def test_without_mongodb_reading_is_503_and_names_it(redis_backend: Backend, path: str) -> None:
    answer = redis_backend.client.get(path)
    assert answer.status_code == 503
    assert answer.json()["store"] == "mongodb"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "127.0.0.1" not in answer.text


def test_without_mongodb_writing_is_503(redis_backend: Backend) -> None:
    answer = redis_backend.client.post("/items", json={"name": "n", "value": math.pi})
    assert answer.status_code == 503
    assert answer.json()["store"] == "mongodb"
