"""The doors of `doors.py` on cheroot, which reads `x_tenant` as `x-tenant`, and takes the last one: python cheroot_app.py PORT."""

import sys

from cheroot.wsgi import Server


def door(method, path, tenant):
    """The guard of `/tenants/` lets small letters in alone."""
    if path == "/admin" or path.startswith("/admin/") or (path.startswith("/tenants/") and "ROOT" in tenant):
        return "CLOSED"
    if (method, path) == ("POST", "/orders") or (method == "DELETE" and path.startswith("/items/")):
        return "CLOSED"
    return "PUBLIC" if path.startswith("/public/") else "OPEN"


def app(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    name = door(method, path, environ.get("HTTP_X_TENANT", ""))
    body = f"{name}-REACHED {method} {path}".encode("latin-1")
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", str(len(body)))])
    return [body]


Server(("127.0.0.1", int(sys.argv[1])), app).start()
