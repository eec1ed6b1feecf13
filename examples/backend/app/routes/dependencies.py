"""What handlers ask for by type, and where it is kept."""

from typing import Annotated

from fastapi import Depends, Request

from app.health import StoreHealth
from app.metrics import Metrics
from app.settings import Settings
from app.stores import MongoStore, RedisStore


async def _mongodb(request: Request) -> MongoStore:
    return request.app.state.stores.mongodb


async def _redis(request: Request) -> RedisStore:
    return request.app.state.stores.redis


async def _health(request: Request) -> StoreHealth:
    return request.app.state.health


async def _settings(request: Request) -> Settings:
    return request.app.state.settings


async def _metrics(request: Request) -> Metrics:
    return request.app.state.metrics


Mongo = Annotated[MongoStore, Depends(_mongodb)]
Redis = Annotated[RedisStore, Depends(_redis)]
Health = Annotated[StoreHealth, Depends(_health)]
CurrentSettings = Annotated[Settings, Depends(_settings)]
CurrentMetrics = Annotated[Metrics, Depends(_metrics)]
