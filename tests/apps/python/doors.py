"""One API of three frameworks, with a closed and an open part: `starlette_app`, `flask_app`, `django_app`."""

import flask
import starlette.applications
from django.conf import settings
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Route

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def text(door, method, path):
    return f"{door}-REACHED {method} {path}"


def starlette_door(name, *methods):
    """A class: Starlette finds its methods without regard to letter case."""

    async def answer(self, request):
        return PlainTextResponse(text(name, request.method, request.scope["path"]))

    return type(name, (HTTPEndpoint,), {method.lower(): answer for method in methods or METHODS})


starlette_app = starlette.applications.Starlette(
    routes=[
        Route("/admin", starlette_door("CLOSED")),
        Route("/admin/{rest:path}", starlette_door("CLOSED")),
        Route("/public/{rest:path}", starlette_door("PUBLIC")),
        Route("/orders", starlette_door("CLOSED"), methods=["POST"]),
        Route("/items/{id}", starlette_door("CLOSED"), methods=["DELETE"]),
        Route("/{rest:path}", starlette_door("OPEN")),
    ]
)


class MethodOverride:
    """As Flask's documentation has it."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if method in METHODS:
            environ["REQUEST_METHOD"] = method
        return self.app(environ, start_response)


def flask_doors():
    app = flask.Flask(__name__)

    def door(name):
        return lambda **_: flask.Response(text(name, flask.request.method, flask.request.path), content_type="text/plain")

    for place, name, methods in [
        ("/admin", "CLOSED", METHODS),
        ("/admin/<path:rest>", "CLOSED", METHODS),
        ("/orders", "CLOSED", ["POST"]),
        ("/items/<id>", "CLOSED", ["DELETE"]),
        ("/public/<path:rest>", "PUBLIC", METHODS),
        ("/", "OPEN", METHODS),
        ("/<path:rest>", "OPEN", METHODS),
    ]:
        app.add_url_rule(place, f"{place} {name}", door(name), methods=methods, provide_automatic_options=False)
    app.wsgi_app = MethodOverride(app.wsgi_app)
    return app


def django_doors():
    settings.configure(ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, MIDDLEWARE=[], ROOT_URLCONF=__name__, SECRET_KEY="of no use")
    import django

    django.setup()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def django_door(name, closed_method=None):
    from django.http import HttpResponse

    def answer(request, **_):
        door = name if closed_method in (None, request.method) else "OPEN"
        return HttpResponse(text(door, request.method, request.path), content_type="text/plain")

    return answer


flask_app = flask_doors()
django_app = django_doors()

from django.urls import path  # noqa: E402  the settings come first

urlpatterns = [
    path("admin", django_door("CLOSED")),
    path("admin/<path:rest>", django_door("CLOSED")),
    path("admin/", django_door("CLOSED")),
    path("orders", django_door("CLOSED", "POST")),
    path("items/<id>", django_door("CLOSED", "DELETE")),
    path("public/<path:rest>", django_door("PUBLIC")),
    path("", django_door("OPEN")),
    path("<path:rest>", django_door("OPEN")),
]
