"""Django REST framework in one file, as it is deployed: without DEBUG."""

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=64 * 1024,
    INSTALLED_APPS=["rest_framework"],
    LOGGING_CONFIG=None,
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no use",
)

import django  # noqa: E402  the settings come first

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Item(serializers.Serializer):
    sku = serializers.CharField()
    qty = serializers.IntegerField()


class Order(serializers.Serializer):
    name = serializers.CharField()
    items = Item(many=True)


class Page(serializers.Serializer):
    page = serializers.IntegerField()


class Line(serializers.Serializer):
    qty = serializers.IntegerField()


def checked(serializer):
    serializer.is_valid(raise_exception=True)
    return Response(serializer.validated_data)


class Orders(APIView):
    def post(self, request):
        return checked(Order(data=request.data))

    def get(self, request):
        return checked(Page(data=request.query_params))


class OneOrder(APIView):
    def get(self, request, id):
        return Response({"id": id})


class Lines(APIView):
    def post(self, request):
        return checked(Line(data=request.data))


class Boom(APIView):
    def get(self, request):
        raise RuntimeError("s3cret, at /srv/app")


urlpatterns = [
    path("orders", Orders.as_view()),
    path("orders/<int:id>", OneOrder.as_view()),
    path("form", Lines.as_view()),
    path("boom", Boom.as_view()),
]

app = get_wsgi_application()
