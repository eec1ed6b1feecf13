"""Instrumentation and admission, around small applications in process."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from app.admission import AdmissionLimit
from app.instrumentation import Instrumentation
from app.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def wrapped(metrics: Metrics, limit: int | None = None) -> tuple[Instrumentation, asyncio.Event]:
    """An app with a route that waits for the returned event."""
    app = FastAPI()
    release = asyncio.Event()

    @app.get("/wait/{name}")
    async def wait(name: str) -> str:
        await release.wait()
        return name

    @app.get("/metrics")
    async def scrape() -> str:
        return "scraped"

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    return Instrumentation(AdmissionLimit(app, limit, metrics), "pod-7", metrics), release


def client_of(app: Instrumentation) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def counted(metrics: Metrics, method: str, route: str, status: str) -> float | None:
    labels = {"method": method, "route": route, "status": status}
    return metrics.registry.get_sample_value("http_requests_total", labels)


def in_flight(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("http_requests_in_flight")


async def until_in_flight(metrics: Metrics, count: int) -> None:
    async with asyncio.timeout(5):
        while in_flight(metrics) != count:
            await asyncio.sleep(0)


def test_requests_are_counted_by_route_template(metrics: Metrics) -> None:
    async def scenario() -> None:
        app, release = wrapped(metrics)
        release.set()
        async with client_of(app) as client:
            for name in ("a", "b", "c"):
                await client.get(f"/wait/{name}")

    asyncio.run(scenario())
    assert counted(metrics, "GET", "/wait/{name}", "200") == 3
    duration = metrics.registry.get_sample_value(
        "http_request_duration_seconds_count", {"route": "/wait/{name}"}
    )
    assert duration == 3


def test_unknown_paths_and_methods_share_one_series(metrics: Metrics) -> None:
    async def scenario() -> None:
        app, _ = wrapped(metrics)
        async with client_of(app) as client:
            for path in ("/a.php", "/b.php"):
                await client.request("BREW", path)

    asyncio.run(scenario())
    assert counted(metrics, "OTHER", "(unmatched)", "404") == 2


def test_every_answer_is_signed_even_a_404(metrics: Metrics) -> None:
    async def scenario() -> httpx.Response:
        app, _ = wrapped(metrics)
        async with client_of(app) as client:
            return await client.get("/nowhere")

    assert asyncio.run(scenario()).headers["X-Served-By"] == "pod-7"


def test_an_unforeseen_error_is_a_signed_500_without_details(metrics: Metrics) -> None:
    async def scenario() -> httpx.Response:
        app, _ = wrapped(metrics)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/broken")

    answer = asyncio.run(scenario())
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.headers["X-Served-By"] == "pod-7"
    assert counted(metrics, "GET", "/broken", "500") == 1
    assert in_flight(metrics) == 0


def test_requests_in_flight_rise_and_fall(metrics: Metrics) -> None:
    async def scenario() -> None:
        app, release = wrapped(metrics)
        async with client_of(app) as client, asyncio.TaskGroup() as tasks:
            for name in "abc":
                tasks.create_task(client.get(f"/wait/{name}"))
            await until_in_flight(metrics, 3)
            release.set()

    asyncio.run(scenario())
    assert in_flight(metrics) == 0


def test_a_client_that_leaves_is_no_longer_in_flight(metrics: Metrics) -> None:
    async def scenario() -> None:
        app, _ = wrapped(metrics)
        async with client_of(app) as client:
            request = asyncio.create_task(client.get("/wait/a"))
            await until_in_flight(metrics, 1)
            request.cancel()
            await asyncio.wait([request])

    asyncio.run(scenario())
    assert in_flight(metrics) == 0
    assert counted(metrics, "GET", "/wait/{name}", "499") == 1


def test_beyond_the_limit_requests_are_refused_at_once(metrics: Metrics) -> None:
    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        app, release = wrapped(metrics, limit=2)
        async with client_of(app) as client, asyncio.TaskGroup() as tasks:
            admitted = [tasks.create_task(client.get(f"/wait/{name}")) for name in "ab"]
            await until_in_flight(metrics, 2)
            refused = await client.get("/wait/c")
            release.set()
        return admitted[0].result(), refused

    admitted, refused = asyncio.run(scenario())
    assert admitted.status_code == 200
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-Served-By"] == "pod-7"
    assert counted(metrics, "GET", "(shed)", "503") == 1
    assert metrics.registry.get_sample_value("http_requests_shed_total") == 1


def test_room_is_given_back_when_a_request_ends(metrics: Metrics) -> None:
    async def scenario() -> list[int]:
        app, release = wrapped(metrics, limit=1)
        release.set()
        async with client_of(app) as client:
            return [(await client.get("/wait/a")).status_code for _ in range(3)]

    assert asyncio.run(scenario()) == [200, 200, 200]


def test_probes_and_scrapes_are_admitted_at_the_limit(metrics: Metrics) -> None:
    async def scenario() -> httpx.Response:
        app, release = wrapped(metrics, limit=1)
        async with client_of(app) as client, asyncio.TaskGroup() as tasks:
            tasks.create_task(client.get("/wait/a"))
            await until_in_flight(metrics, 1)
            scrape = await client.get("/metrics")
            release.set()
        return scrape

    assert asyncio.run(scenario()).status_code == 200
