"""Flask with marshmallow, whose messages go out as its guide sends them."""

from flask import Flask, request
from marshmallow import Schema, ValidationError, fields

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024


class Item(Schema):
    sku = fields.String(required=True)
    qty = fields.Integer(required=True)


class Order(Schema):
    name = fields.String(required=True)
    items = fields.List(fields.Nested(Item), required=True)


class Page(Schema):
    page = fields.Integer(required=True)


class Line(Schema):
    qty = fields.Integer(required=True)


@app.errorhandler(ValidationError)
def refused(error):
    return error.messages, 422


@app.post("/orders")
def create():
    return Order().load(request.get_json())


@app.get("/orders")
def listed():
    return Page().load(request.args)


@app.get("/orders/<int:id>")
def show(id):
    return {"id": id}


@app.post("/form")
def form():
    return Line().load(request.form)


@app.get("/boom")
def boom():
    raise RuntimeError("s3cret, at /srv/app")
