"""Error answers: JSON with a cause a client can act on, never a stack trace."""

import logging
import time

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from app.metrics import Metrics
from app.settings import Settings
from app.stores import StoreUnavailable

RETRY_AFTER_SECONDS = "2"

log = logging.getLogger("app.errors")


class StoreFailures:
    """Counts every store failure and logs at most one line a second per store."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._redact = settings.redact
        self._metrics = metrics
        self._logged_at: dict[str, float] = {}

    def record(self, error: StoreUnavailable) -> None:
        """Note a failure, whether or not the request could be answered without the store."""
        self._metrics.store_errors.labels(error.store).inc()
        now = time.monotonic()
        if now - self._logged_at.get(error.store, float("-inf")) >= 1:
            self._logged_at[error.store] = now
            log.warning("%s", self._redact(str(error)))


def install(app: FastAPI, failures: StoreFailures) -> None:
    """Register the handlers."""

    @app.exception_handler(StoreUnavailable)
    async def store_unavailable(_request: Request, error: StoreUnavailable) -> JSONResponse:
        failures.record(error)
        return JSONResponse(
            {"error": f"{error.store} is unavailable, try again shortly", "store": error.store},
            status_code=503,
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        )

    @app.exception_handler(RequestValidationError)
    async def invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        # The input is not echoed: NaN or a lone surrogate in it cannot be written as JSON.
        detail = [
            {"loc": item["loc"], "msg": item["msg"], "type": item["type"]}
            for item in error.errors()
        ]
        return JSONResponse({"detail": detail}, status_code=422)
