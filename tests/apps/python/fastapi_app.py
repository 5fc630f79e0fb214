"""FastAPI: its own models, nothing set."""

from typing import Annotated

from fastapi import FastAPI, Form
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    sku: str
    qty: int


class Order(BaseModel):
    name: str
    items: list[Item]


@app.post("/orders")
def create(order: Order):
    return order


@app.get("/orders")
def listed(page: int):
    return {"page": page}


@app.get("/orders/{id}")
def show(id: int):
    return {"id": id}


@app.post("/form")
def form(qty: Annotated[int, Form()]):
    return {"qty": qty}


@app.get("/boom")
def boom():
    raise RuntimeError("s3cret, at /srv/app")
