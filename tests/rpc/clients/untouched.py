"""Health checks and reflection pass through the layer as their services answer them."""

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

NOT_REGISTERED = (grpc.StatusCode.NOT_FOUND, "service not registered", False)
NO_SYMBOL = (grpc.StatusCode.NOT_FOUND, "symbol 'no.Such' not found", False)
SERVICES = {"echo.v1.Echo", "echo.v1.Vault", "grpc.health.v1.Health"}


def differences(channel):
    found = {**health(health_pb2_grpc.HealthStub(channel)), **reflection(channel)}
    return [f"{what} is {is_!r}, not {should!r}" for what, (is_, should) in found.items() if is_ != should]


def health(stub):
    state = health_pb2.HealthCheckResponse
    unknown = health_pb2.HealthCheckRequest(service="no.such")
    watch, watch_unknown = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60), stub.Watch(unknown, timeout=60)
    found = {
        "a check": (stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status, state.SERVING),
        "a watch": (next(watch).status, state.SERVING),
        "a watch of an unknown service": (refusal(lambda: next(watch_unknown)), NOT_REGISTERED),
        "a check of an unknown service": (refusal(lambda: stub.Check(unknown, timeout=60)), NOT_REGISTERED),
    }
    watch.cancel()
    return found


def refusal(ask):
    """The code, the message, and whether the layer says that it wrote them."""
    try:
        return f"no error: {ask()}"
    except grpc.RpcError as error:
        return error.code(), error.details(), "x-error-code" in dict(error.trailing_metadata())


def reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    service = DescriptorPool(database).FindServiceByName("echo.v1.Echo")
    return {
        "the services": (SERVICES - set(database.get_services()), set()),
        "the methods": ([method.name for method in service.methods], ["Say", "Collect", "Repeat", "Talk"]),
        "the services by reflection v1": (SERVICES - listed(channel, "grpc.reflection.v1"), set()),
        "an unknown symbol": (refusal(lambda: unknown_symbol(channel)), NO_SYMBOL),
    }


def asked(channel, package, request):
    """v1 has the messages of v1alpha."""
    path = f"/{package}.ServerReflection/ServerReflectionInfo"
    asks, answers = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    stub = channel.stream_stream(path, asks.SerializeToString, answers.FromString)
    [answer] = stub(iter([request]), timeout=60)
    return answer


def listed(channel, package):
    answer = asked(channel, package, reflection_pb2.ServerReflectionRequest(list_services=""))
    return {service.name for service in answer.list_services_response.service}


def unknown_symbol(channel):
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such")
    return asked(channel, "grpc.reflection.v1", request)
