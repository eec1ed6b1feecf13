"""For operators and their probes: what this is, liveness, readiness, metrics."""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.health import LIVENESS_WAIT
from app.routes.dependencies import CurrentMetrics, CurrentSettings, Health

router = APIRouter(tags=["operations"])


@router.get("/")
async def about(request: Request) -> dict[str, object]:
    """What this is and where to look next."""
    return {
        "service": "Eaiser sample backend",
        "about": "Sample and load target: items in MongoDB, sessions and answers in Redis."
        " Answers come from a local formula, not from a model.",
        "served_by": request.app.state.hostname,
        "links": {
            "documentation": "/docs",
            "liveness": "/healthz/live",
            "readiness": "/healthz/ready",
            "metrics": "/metrics",
            "items": "/items",
            "answer": "/ai/answer?question=What+is+a+replica+set%3F",
        },
    }


@router.get("/healthz/live")
async def live(health: Health, settings: CurrentSettings) -> JSONResponse:
    """Liveness: the event loop answers.

    Both stores are pinged and reported, but a store that is down does not make this
    process dead: restarting every API pod because MongoDB holds an election turns a
    pause of seconds into an outage and a stampede of reconnects. Only when *no* store
    has answered this process for LIVENESS_ISOLATION_SECONDS (5 minutes by default) is
    the fault likely to be its own (dead resolver, exhausted sockets), and then a
    restart is worth trying. Waits for pings only briefly, so that a hanging store
    cannot run this probe into its own time-out.
    """
    results = await health.refresh(wait=LIVENESS_WAIT)
    isolated = health.isolated_seconds
    alive = isolated < settings.liveness_isolation_seconds
    return JSONResponse(
        {
            "status": "alive" if alive else "isolated",
            "seconds_since_any_store_answered": round(isolated, 1),
            "stores": {name: asdict(result) for name, result in results.items()},
        },
        status_code=200 if alive else 503,
    )


@router.get("/healthz/ready")
async def ready(health: Health) -> JSONResponse:
    """Readiness: 200 when both stores answer a ping, else 503 naming which and why.

    Results are shared for a second, so that probes cost the stores next to nothing.
    """
    results = await health.refresh()
    failing = sorted(name for name, result in results.items() if not result.ok)
    return JSONResponse(
        {
            "status": "not ready" if failing else "ready",
            "failing": failing,
            "stores": {name: asdict(result) for name, result in results.items()},
        },
        status_code=503 if failing else 200,
        headers={"Retry-After": "1"} if failing else None,
    )


@router.get("/metrics")
async def metrics(metrics: CurrentMetrics) -> Response:
    """Prometheus metrics of this process, in the text format."""
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
