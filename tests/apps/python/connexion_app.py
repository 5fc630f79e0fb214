"""Connexion: the API is its OpenAPI document, which it checks requests against."""

import connexion


def object_of(**properties):
    return {"type": "object", "required": list(properties), "properties": properties}


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
ORDER = object_of(name=TEXT, items={"type": "array", "items": object_of(sku=TEXT, qty=WHOLE)})


def operation(name, **parts):
    return {"operationId": f"connexion_app.{name}", "responses": {"200": {"description": "What was sent."}}, **parts}


def parameter(name, place):
    return [{"name": name, "in": place, "required": True, "schema": WHOLE}]


def sent(media_type, schema):
    return {"required": True, "content": {media_type: {"schema": schema}}}


def create(body):
    return body


def listed(page):
    return {"page": page}


def show(id):
    return {"id": id}


def form(body):
    return body


def boom():
    raise RuntimeError("s3cret, at /srv/app")


DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders": {
            "post": operation("create", requestBody=sent("application/json", ORDER)),
            "get": operation("listed", parameters=parameter("page", "query")),
        },
        "/orders/{id}": {"get": operation("show", parameters=parameter("id", "path"))},
        "/form": {"post": operation("form", requestBody=sent("application/x-www-form-urlencoded", object_of(qty=WHOLE)))},
        "/boom": {"get": operation("boom")},
    },
}

app = connexion.AsyncApp(__name__)
app.add_api(DOCUMENT)
