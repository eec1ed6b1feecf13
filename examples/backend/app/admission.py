"""Admission: count requests in flight and refuse those beyond the limit at once."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.metrics import Metrics

# Never refused and never counted: an overloaded process must still say how it is.
OPERATIONAL_PATHS = frozenset({"/healthz/live", "/healthz/ready", "/metrics"})
SHED_ROUTE = "(shed)"


class AdmissionLimit:
    """ASGI middleware. With `limit` None it only counts."""

    def __init__(self, app: ASGIApp, limit: int | None, metrics: Metrics) -> None:
        self._app = app
        self._limit = limit
        self._metrics = metrics
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPERATIONAL_PATHS:
            await self._app(scope, receive, send)
            return
        if self._limit is not None and self._in_flight >= self._limit:
            self._metrics.shed.inc()
            scope["route_label"] = SHED_ROUTE
            await _refusal(scope, receive, send)
            return
        self._in_flight += 1
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.dec()


_refusal = JSONResponse(
    {"error": "too many requests in flight, try again shortly"},
    status_code=503,
    headers={"Retry-After": "1"},
)
