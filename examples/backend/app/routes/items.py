"""Items: documents in MongoDB, written with majority acknowledgement."""

from datetime import UTC, datetime
from typing import Annotated, Any

from bson import ObjectId
from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat, StrictBool, StrictInt

from app.routes.dependencies import Mongo

router = APIRouter(prefix="/items", tags=["items"])

Text = Annotated[str, Field(max_length=10_000)]
# MongoDB's widest integer; a larger one would fail in the driver.
Int64 = Annotated[StrictInt, Field(ge=-(2**63), le=2**63 - 1)]


def _only_a_float(value: object) -> object:
    if not isinstance(value, float):  # else "1.5" and too large integers become floats
        raise ValueError("Input should be a finite number, an integer of 64 bits or a text")
    return value


Float = Annotated[FiniteFloat, BeforeValidator(_only_a_float)]
ItemId = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="24 hexadecimal digits")]


class NewItem(BaseModel):
    """What a client sends."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    value: StrictBool | Int64 | Float | Text | None = Field(union_mode="left_to_right")


class Item(NewItem):
    """What the store keeps. `created_at` has MongoDB's precision, a millisecond."""

    id: str
    created_at: datetime


@router.post("", status_code=201)
async def create_item(new: NewItem, mongodb: Mongo) -> Item:
    """Store an item; the answer means that a majority of members have it."""
    now = datetime.now(UTC)
    document = new.model_dump() | {
        "_id": ObjectId(),
        "created_at": now.replace(microsecond=now.microsecond // 1000 * 1000),
    }
    async with mongodb.guard():
        await mongodb.items.insert_one(document)
    return _item(document)


@router.get("/{item_id}")
async def read_item(item_id: ItemId, mongodb: Mongo) -> Item:
    """Read one item; while there is no primary, a secondary answers."""
    async with mongodb.guard():
        document = await mongodb.items.find_one({"_id": ObjectId(item_id)})
    if document is None:
        raise HTTPException(404, f"no item {item_id}")
    return _item(document)


@router.get("")
async def list_items(mongodb: Mongo, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Item]:
    """List the newest items first."""
    async with mongodb.guard():
        newest = mongodb.items.find().sort("created_at", -1).limit(limit)
        documents = await newest.to_list()
    return [_item(document) for document in documents]


def _item(document: dict[str, Any]) -> Item:
    return Item.model_validate(document | {"id": str(document["_id"])})
