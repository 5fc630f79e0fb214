"""Flask-RESTX with its own models and parsers."""

from flask import Flask, request
from flask_restx import Api, Resource, fields

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
api = Api(app)

item = api.model("Item", {"sku": fields.String(required=True), "qty": fields.Integer(required=True)})
order = api.model("Order", {"name": fields.String(required=True), "items": fields.List(fields.Nested(item), required=True)})
pages = api.parser().add_argument("page", type=int, required=True, location="args")
lines = api.parser().add_argument("qty", type=int, required=True, location="form")


@api.route("/orders")
class Orders(Resource):
    @api.expect(order, validate=True)
    def post(self):
        return request.get_json()

    @api.expect(pages)
    def get(self):
        return pages.parse_args()


@api.route("/orders/<int:id>")
class OneOrder(Resource):
    def get(self, id):
        return {"id": id}


@api.route("/form")
class Lines(Resource):
    @api.expect(lines)
    def post(self):
        return lines.parse_args()


@api.route("/boom")
class Boom(Resource):
    def get(self):
        raise RuntimeError("s3cret, at /srv/app")
