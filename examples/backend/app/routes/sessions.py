"""Sessions: an unguessable token in Redis that expires by itself."""

import secrets
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field

from app.routes.dependencies import CurrentSettings, Redis

router = APIRouter(prefix="/sessions", tags=["sessions"])

TOKEN_BYTES = 32
Token = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{43}$")]


class NewSession(BaseModel):
    """What a client sends."""

    user: Annotated[str, Field(min_length=1, max_length=200)]


class Session(BaseModel):
    """A session that is still valid."""

    token: str
    user: str
    expires_in_seconds: int


@router.post("", status_code=201)
async def create_session(new: NewSession, redis: Redis, settings: CurrentSettings) -> Session:
    """Open a session."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    ttl = settings.session_ttl_seconds
    await redis.run(lambda: redis.client.set(_key(token), new.user, ex=ttl))
    return Session(token=token, user=new.user, expires_in_seconds=ttl)


@router.get("/{token}")
async def read_session(token: Token, redis: Redis) -> Session:
    """Look a session up; reading does not prolong it."""
    user = await redis.run(lambda: redis.client.get(_key(token)))
    ttl = await redis.run(lambda: redis.client.ttl(_key(token)))
    if user is None or ttl < 0:  # it may expire between the two reads
        raise HTTPException(404, "no such session, or it has expired")
    return Session(token=token, user=user, expires_in_seconds=ttl)


def _key(token: str) -> str:
    return f"session:{token}"
