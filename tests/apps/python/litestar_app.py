"""Litestar with msgspec's structs, its own default."""

from typing import Annotated

from litestar import Litestar, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from msgspec import Struct


class Item(Struct):
    sku: str
    qty: int


class Order(Struct):
    name: str
    items: list[Item]


class Line(Struct):
    qty: int


@post("/orders")
async def create(data: Order) -> Order:
    return data


@get("/orders")
async def listed(page: int) -> dict[str, int]:
    return {"page": page}


@get("/orders/{id:int}")
async def show(id: int) -> dict[str, int]:
    return {"id": id}


@post("/form")
async def form(data: Annotated[Line, Body(media_type=RequestEncodingType.URL_ENCODED)]) -> Line:
    return data


@get("/boom")
async def boom() -> None:
    raise RuntimeError("s3cret, at /srv/app")


app = Litestar([create, listed, show, form, boom], request_max_body_size=64 * 1024)
