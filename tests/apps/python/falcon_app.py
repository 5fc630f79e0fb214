"""Falcon with jsonschema, by its own decorator; a wrong parameter is Falcon's own error."""

import falcon
from falcon.media.validators import jsonschema

ORDER = {
    "type": "object",
    "required": ["name", "items"],
    "properties": {
        "name": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku", "qty"],
                "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}},
            },
        },
    },
}


class Orders:
    @jsonschema.validate(ORDER)
    def on_post(self, request, response):
        response.media = request.get_media()

    def on_get(self, request, response):
        response.media = {"page": request.get_param_as_int("page", required=True)}


class OneOrder:
    def on_get(self, request, response, id):
        response.media = {"id": id}


class Lines:
    def on_post(self, request, response):
        try:
            response.media = {"qty": int(request.get_media()["qty"])}
        except (KeyError, ValueError):
            raise falcon.HTTPInvalidParam("The value must be an integer.", "qty") from None


class Boom:
    def on_get(self, request, response):
        raise RuntimeError("s3cret, at /srv/app")


app = falcon.App()
app.add_route("/orders", Orders())
app.add_route("/orders/{id:int}", OneOrder())
app.add_route("/form", Lines())
app.add_route("/boom", Boom())
