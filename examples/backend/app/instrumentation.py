"""Instrumentation: outermost middleware that measures, signs and, at worst, apologises."""

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import Metrics

UNMATCHED_ROUTE = "(unmatched)"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger("app.requests")


class Instrumentation:
    """ASGI middleware: request metrics, X-Served-By, and 500 without a stack trace."""

    def __init__(self, app: ASGIApp, hostname: str, metrics: Metrics) -> None:
        self._app = app
        self._hostname = hostname
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None

        async def signed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Served-By"] = self._hostname
            await send(message)

        start = time.perf_counter()
        try:
            await self._app(scope, receive, signed_send)
        except Exception:
            log.exception("unforeseen error in %s", route_label(scope))
            if status is None:
                await _apology(scope, receive, signed_send)
        finally:
            self._record(scope, status, time.perf_counter() - start)

    def _record(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = route_label(scope)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        # 499, as Nginx counts it: the client left before there was an answer.
        self._metrics.requests.labels(method, route, str(status or 499)).inc()
        self._metrics.duration.labels(route).observe(seconds)


def route_label(scope: Scope) -> str:
    """The route's template; a fixed word when none matched, so that scanners add no series."""
    if "route_label" in scope:
        return scope["route_label"]
    return getattr(scope.get("route"), "path", UNMATCHED_ROUTE)


_apology = JSONResponse({"error": "internal error"}, status_code=500)
