"""A client of examples/typed by openapi-python-client, made into the package `orders`: client.py URL"""

import sys

from orders import Client
from orders.api.default import place
from orders.models import Order, Placed

client = Client(base_url=sys.argv[1])


def order(sku: str, quantity: int) -> str:
    answer = place.sync(client=client, body=Order(sku=sku, quantity=quantity), x_tenant="a")
    if answer is None:
        return "a status that is not in the document"
    if isinstance(answer, Placed):
        return f"order {answer.id}"
    error = answer.error
    if error.code == "sold_out":
        left: int = error.details.left
        return f"{left} left"
    return error.message


for sku, quantity, expected in (
    ("lamp", 1, "order 1"),
    ("lamp", 9, "3 left"),
    ("sofa", 1, "The card was declined."),
    ("bed", 1, "The card has expired."),
):
    assert (found := order(sku, quantity)) == expected, found
