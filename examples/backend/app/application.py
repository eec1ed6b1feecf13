"""The application: wires settings, stores, middleware and routes together."""

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import errors
from app.admission import AdmissionLimit
from app.health import StoreHealth
from app.instrumentation import Instrumentation
from app.metrics import Metrics
from app.routes import ai, items, operations, sessions
from app.settings import Settings
from app.stores import MongoStore, RedisStore, Stores, StoreUnavailable

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 15.0

log = logging.getLogger("app.startup")


def create_app(settings: Settings) -> FastAPI:
    """Build the application; nothing is connected before its lifespan starts."""
    metrics = Metrics()
    failures = errors.StoreFailures(settings, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stores = Stores(MongoStore(settings, metrics), RedisStore(settings))
        app.state.stores = stores
        app.state.health = StoreHealth([stores.mongodb, stores.redis], settings.redact)
        preparing = asyncio.create_task(_prepare(stores.mongodb, settings))
        try:
            yield
        finally:
            preparing.cancel()
            await stores.close()
            log.info("store connections closed")

    app = FastAPI(title="Eaiser sample backend", lifespan=lifespan)
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.failures = failures
    app.state.hostname = socket.gethostname()
    errors.install(app, failures)
    for module in (operations, items, sessions, ai):
        app.include_router(module.router)
    # The last one added is the outermost: refusals are measured and signed too.
    app.add_middleware(AdmissionLimit, limit=settings.max_in_flight, metrics=metrics)
    app.add_middleware(Instrumentation, hostname=app.state.hostname, metrics=metrics)
    return app


async def _prepare(mongodb: MongoStore, settings: Settings) -> None:
    """Create indexes as soon as MongoDB can; back off while it cannot, never give up."""
    delay = FIRST_RETRY_SECONDS
    while True:
        try:
            await mongodb.ensure_indexes()
            log.info("indexes are in place")
            return
        except StoreUnavailable as error:
            log.warning("indexes not created yet, trying again: %s", settings.redact(error.reason))
        except Exception:
            log.exception("indexes cannot be created; listing items will be slower")
            return
        # Jitter, so that pods started together do not come back together.
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))
        delay = min(delay * 2, LONGEST_RETRY_SECONDS)
