"""The two stores: pooled clients that connect lazily and fail in one way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pymongo
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError
from pymongo.uri_parser import parse_uri
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisClusterException, RedisError

from app.metrics import Metrics, MongoPoolMetrics
from app.settings import Settings

CONNECT_TIMEOUT = 1.0
EXTRA_ATTEMPTS = 2
# Rediscovery closes connections in use. Their users then meet a closed uvloop transport
# (RuntimeError) or none (AttributeError), which redis-py takes for no lost connection.
TORN_DOWN = (RuntimeError, AttributeError)

T = TypeVar("T")


class StoreUnavailable(Exception):
    """A store did not do what was asked. `reason` may name hosts: for logs and probes."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"{store}: {reason}")
        self.store = store
        self.reason = reason


class MongoStore:
    """MongoDB: writes wait for a majority, reads survive the loss of the primary."""

    name = "mongodb"

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        uri = settings.mongodb_uri.get_secret_value()
        metrics.mongodb_max_size.set(settings.mongodb_max_pool_size)
        self._timeout = settings.store_timeout
        self.client: AsyncMongoClient = AsyncMongoClient(
            uri,
            tz_aware=True,
            maxPoolSize=settings.mongodb_max_pool_size,
            event_listeners=[MongoPoolMetrics(metrics)],
            **_defaults_absent_from(uri),
        )
        # primaryPreferred: an election then costs writers a wait and readers nothing.
        self.items = self.client[settings.mongodb_database].get_collection(
            "items",
            write_concern=WriteConcern("majority"),
            read_preference=ReadPreference.PRIMARY_PREFERRED,
        )

    @asynccontextmanager
    async def guard(self, timeout: float | None = None) -> AsyncIterator[None]:
        """Bound what happens inside by `timeout` seconds; failures become StoreUnavailable."""
        seconds = timeout or self._timeout
        try:
            # The driver's deadline also reaches the server (maxTimeMS, wtimeout); the
            # outer one holds where the driver only looks every half second.
            with pymongo.timeout(seconds):
                async with asyncio.timeout(seconds + 0.1):
                    yield
        except (TimeoutError, ServerSelectionTimeoutError) as error:
            raise StoreUnavailable(self.name, self._no_answer(seconds)) from error
        except (PyMongoError, OSError) as error:
            raise StoreUnavailable(self.name, f"{type(error).__name__}: {error}") from error

    async def ping(self, timeout: float) -> None:
        """Return when any member answers; a replica set in an election still does."""
        async with self.guard(timeout):
            await self.client.admin.command(
                "ping", read_preference=ReadPreference.PRIMARY_PREFERRED
            )

    def _no_answer(self, seconds: float) -> str:
        members = self.client.topology_description.server_descriptions().values()
        seen = [
            str(member.error or f"{member.address[0]} is {member.server_type_name}")
            for member in members
        ]
        return "; ".join([f"no answer within {seconds:g} s", *sorted(seen)])

    async def ensure_indexes(self) -> None:
        """Create what listing needs; doing it again changes nothing."""
        async with self.guard():
            await self.items.create_index([("created_at", pymongo.DESCENDING)])

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.client.close()


class RedisStore:
    """Redis Cluster: one pool per node, with waiting instead of errors when it is full."""

    name = "redis"

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.store_timeout
        # redis-py raises when a node's pool is full. No command holds more than one
        # connection, so with this many commands at a time it never is.
        self._turns = asyncio.Semaphore(settings.redis_max_connections)
        self._running: set[asyncio.Task[Any]] = set()
        url = settings.redis_url.get_secret_value()
        first = urlsplit(url)
        # The client rediscovers through the addresses it has found. Those change when
        # pods restart; the names given here stay good.
        self._given_nodes = [(first.hostname, first.port or 6379), *settings.redis_nodes]
        self.client: RedisCluster = RedisCluster.from_url(
            url,
            startup_nodes=[ClusterNode(host, port) for host, port in settings.redis_nodes],
            max_connections=settings.redis_max_connections,
            # A lost shard must not take the others' keys with it.
            require_full_coverage=False,
            # On MOVED, learn the one slot: rediscovery would close everyone's connections.
            reinitialize_steps=0,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries=3),
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=CONNECT_TIMEOUT,
            decode_responses=True,
        )

    async def run(self, command: Callable[[], Awaitable[T]], timeout: float | None = None) -> T:
        """Run an idempotent command; after `timeout` seconds stop waiting for it.

        A command is left to end by its own socket timeouts, never cancelled: cancelling
        redis-py while it discovers the cluster closes every other caller's connection.
        """
        seconds = timeout or self._timeout
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
                task = asyncio.create_task(self._attempt(command))
                self._running.add(task)
                task.add_done_callback(self._end_turn)
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise StoreUnavailable(self.name, f"no answer within {seconds:g} s") from error
        except IndexError as error:  # redis-py's way to say that no node was listed
            raise StoreUnavailable(self.name, "no node owns a slot: cluster not formed") from error
        # RedisClusterException, raised when no node is reachable, is not a RedisError.
        except (RedisError, RedisClusterException, OSError, *TORN_DOWN) as error:
            raise StoreUnavailable(self.name, f"{type(error).__name__}: {error}") from error

    async def _attempt(self, command: Callable[[], Awaitable[T]]) -> T:
        """Try again after the two failures that redis-py does not mend by itself."""
        for _ in range(EXTRA_ATTEMPTS):
            try:
                return await command()
            except TORN_DOWN:
                await asyncio.sleep(0)
            except RedisClusterException:
                await self.client.initialize(additional_startup_nodes_info=self._given_nodes)
        return await command()

    def _end_turn(self, task: asyncio.Task[Any]) -> None:
        self._turns.release()
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even when its caller no longer waits

    async def ping(self, timeout: float) -> None:
        """Return when a node of a formed cluster answers."""
        await self.run(lambda: self.client.ping(target_nodes=RedisCluster.RANDOM), timeout)

    async def close(self) -> None:
        """Close every pooled connection."""
        for task in self._running:
            task.cancel()
        await self.client.aclose()


@dataclass(frozen=True)
class Stores:
    """Both stores of one application."""

    mongodb: MongoStore
    redis: RedisStore

    async def close(self) -> None:
        """Close both, the second even when the first fails."""
        await asyncio.gather(self.redis.close(), self.mongodb.close(), return_exceptions=True)


def _defaults_absent_from(uri: str) -> dict[str, object]:
    """Options this service wants unless the URI, which the operator writes, says otherwise."""
    wanted = {"connectTimeoutMS": int(CONNECT_TIMEOUT * 1000), "appName": "eaiser-backend"}
    if uri.startswith("mongodb+srv://"):
        return wanted
    given = {option.lower() for option in parse_uri(uri)["options"]}
    return {option: value for option, value in wanted.items() if option.lower() not in given}
