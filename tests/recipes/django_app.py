"""The middleware of the recipe, before a view that fails: django_app.py PORT."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.urls import path

settings.configure(MIDDLEWARE=["middleware.keep_id"], ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])


def order(request, id):
    raise RuntimeError("db-3 refused the connection")


urlpatterns = [path("orders/<int:id>", order)]
if __name__ == "__main__":
    execute_from_command_line(["manage.py", "runserver", "--noreload", sys.argv[1]])
