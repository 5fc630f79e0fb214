"""boto3. The 4xx come from moto's server, and the rest from AWS' documents: moto fails on purpose nowhere."""

import functools
import json

import boto3
from botocore.config import Config

# One attempt, as in the clients of the other files: a repeated call would only take time.
CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
PEOPLE = {"TableName": "people", "Key": {"id": {"S": "ada"}}}


@functools.cache
def client(url, name):
    return boto3.client(
        name, endpoint_url=url, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b", config=CONFIG
    )


def seen(error):
    """What a program can read of an error, without ids that differ each time."""
    response = dict(error.response)
    response["ResponseMetadata"] = response["ResponseMetadata"]["HTTPStatusCode"]
    return response["Error"].get("Code"), json.dumps(response, sort_keys=True, default=str), response["Error"].get("Message")


def prepare(url):
    """What the errors need to arise."""
    s3, dynamodb = client(url, "s3"), client(url, "dynamodb")
    s3.create_bucket(**BUCKET)
    s3.put_object(Bucket="full", Key="ships", Body=b"three")
    dynamodb.create_table(
        TableName="people",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    dynamodb.put_item(TableName="people", Item={"id": {"S": "ada"}, "age": {"N": "36"}})
    client(url, "sqs").create_queue(QueueName="mail", Attributes={"VisibilityTimeout": "10"})


BUCKET = {"Bucket": "full", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
ABSENT = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
PUT = {"TableName": "people", "Item": {"id": {"S": "ada"}}, **ABSENT}

ARN = "arn:aws:states:eu-west-1:123456789012:"

# The service, the error, the operation and its arguments.
LIVE = [
    ("s3", "no such key", "get_object", {"Bucket": "full", "Key": "none"}),
    ("s3", "no such key, by HEAD", "head_object", {"Bucket": "full", "Key": "none"}),
    ("s3", "no such bucket", "list_objects_v2", {"Bucket": "none-such"}),
    ("s3", "bucket is not empty", "delete_bucket", {"Bucket": "full"}),
    ("s3", "bucket exists", "create_bucket", BUCKET),
    ("s3", "precondition", "get_object", {"Bucket": "full", "Key": "ships", "IfMatch": '"other"'}),
    ("s3", "range, without an id", "get_object", {"Bucket": "full", "Key": "ships", "Range": "bytes=90-99"}),
    ("s3", "no policy", "get_bucket_policy", {"Bucket": "full"}),
    ("s3", "no upload", "list_parts", {"Bucket": "full", "Key": "ships", "UploadId": "none"}),
    ("dynamodb", "no table", "get_item", {**PEOPLE, "TableName": "none"}),
    ("dynamodb", "condition, with the old item", "put_item", PUT),
    ("dynamodb", "transaction, with reasons", "transact_write_items", {"TransactItems": [{"Put": PUT}]}),
    ("dynamodb", "validation", "get_item", {**PEOPLE, "Key": {"name": {"S": "ada"}}}),
    ("sqs", "no queue", "get_queue_url", {"QueueName": "none"}),
    ("sqs", "queue exists", "create_queue", {"QueueName": "mail", "Attributes": {"VisibilityTimeout": "20"}}),
    ("sns", "no topic", "get_topic_attributes", {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:none"}),
    ("iam", "no user", "get_user", {"UserName": "none"}),
    ("ec2", "no instance", "describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}),
    ("lambda", "no function", "get_function", {"FunctionName": "none"}),
    ("kms", "no key", "describe_key", {"KeyId": "0d990263-018e-4e65-a703-eff731de951e"}),
    ("secretsmanager", "no secret", "get_secret_value", {"SecretId": "none"}),
    ("ssm", "no parameter", "get_parameter", {"Name": "none"}),
    ("route53", "no zone", "get_hosted_zone", {"Id": "Z0000000"}),
    ("logs", "no group", "describe_log_streams", {"logGroupName": "none"}),
    ("ecr", "no repository", "describe_images", {"repositoryName": "none"}),
    ("kinesis", "no stream", "describe_stream", {"StreamName": "none"}),
    ("cloudformation", "no stack", "describe_stacks", {"StackName": "none"}),
    ("cloudwatch", "no dashboard", "get_dashboard", {"DashboardName": "none"}),
    ("apigateway", "no API", "get_rest_api", {"restApiId": "none"}),
    ("cognito-idp", "no pool", "describe_user_pool", {"UserPoolId": "eu-west-1_none00000"}),
    ("stepfunctions", "no machine", "describe_state_machine", {"stateMachineArn": ARN + "stateMachine:none"}),
]

ID = "7a62c49f-347e-4fc4-9331-6e8e1a2b3c4d"
JSON10 = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": ID}
JSON11 = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": ID}
XML = {"Content-Type": "text/xml", "x-amzn-RequestId": ID}
S3 = {"Content-Type": "application/xml", "x-amz-request-id": "4442587FB7D0A2F9", "x-amz-id-2": "Vzza=", "Server": "AmazonS3"}
LAMBDA = {"Content-Type": "application/json", "x-amzn-RequestId": ID}
CBOR = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": ID}


def typed(kind, message):
    return json.dumps({"__type": kind, "message": message})


def s3(code, message, more=""):
    more += "<RequestId>4442587FB7D0A2F9</RequestId><HostId>Vzza=</HostId>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>'


def query(kind, code, message):
    error = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{ID}</RequestId>"
    return f'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{error}</ErrorResponse>'


def ec2(code, message):
    errors = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>{ID}</RequestID>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Response>{errors}</Response>'


def cbor(**members):
    def text(value):
        return bytes([0x78, len(value)]) + value.encode()

    return bytes([0xA0 | len(members)]) + b"".join(text(name) + text(value) for name, value in members.items())


OBJECT = ("s3", "get_object", {"Bucket": "full", "Key": "ships"})
ITEM = ("dynamodb", "get_item", PEOPLE)
SIGNATURE = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
SKEW = "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>"
THROUGHPUT = "The level of configured provisioned throughput for the table was exceeded."
TOPICS = ("sns", "list_topics", {})
INSTANCES = ("ec2", "describe_instances", {})
INVOKE = ("lambda", "invoke", {"FunctionName": "ships"})
DASHBOARD = ("cloudwatch", "get_dashboard", {"DashboardName": "none"})
# It has no other protocol than CBOR.
BUS = ("eventbridgev2", "describe_event_bus", {"EventBusArn": "arn:aws:events:eu-west-1:123456789012:event-bus/none"})

# The service, the operation and its arguments; the error; the answer.
DOCUMENTED = [
    (OBJECT, "signature", (403, S3, s3("SignatureDoesNotMatch", SIGNATURE, "<StringToSign>AWS4</StringToSign>"))),
    (OBJECT, "clock", (
        403, S3,
        s3("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", SKEW),
    )),
    (OBJECT, "range", (
        416, S3,
        s3("InvalidRange", "The requested range is not satisfiable", "<RangeRequested>bytes=90-99</RangeRequested>"),
    )),
    (OBJECT, "slow down", (503, S3, s3("SlowDown", "Please reduce your request rate."))),
    (OBJECT, "internal", (500, S3, s3("InternalError", "We encountered an internal error. Please try again."))),
    (ITEM, "throughput", (
        400, JSON10, typed("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", THROUGHPUT),
    )),
    (ITEM, "token", (
        400, JSON10,
        typed("com.amazon.coral.service#UnrecognizedClientException", "The security token included in the request is invalid."),
    )),
    (ITEM, "internal", (
        500, JSON10, typed("com.amazonaws.dynamodb.v20120810#InternalServerError", "The request could not be processed."),
    )),
    (("kms", "list_keys", {}), "internal", (500, JSON11, typed("KMSInternalException", "pool is gone"))),
    (("sqs", "list_queues", {}), "throttled, in SQS' query form", (
        403, {**JSON10, "x-amzn-query-error": "RequestThrottled;Sender"},
        typed("com.amazonaws.sqs#RequestThrottled", "The request was denied due to request throttling."),
    )),
    (TOPICS, "authorization", (
        403, XML, query("Sender", "AuthorizationError", "User is not authorized to perform: SNS:ListTopics"),
    )),
    (TOPICS, "internal", (500, XML, query("Receiver", "InternalError", "pool is gone"))),
    (INSTANCES, "unauthorized", (
        403, {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-requestid": ID},
        ec2("UnauthorizedOperation", "You are not authorized to perform this operation."),
    )),
    (INSTANCES, "too many", (503, XML, ec2("RequestLimitExceeded", "Request limit exceeded."))),
    (INVOKE, "too many", (
        429, {**LAMBDA, "x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "2"},
        json.dumps({"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."}),
    )),
    (INVOKE, "denied", (
        403, {**LAMBDA, "x-amzn-ErrorType": "AccessDeniedException"},
        json.dumps({"Message": "User is not authorized to perform: lambda:InvokeFunction"}),
    )),
    (INVOKE, "no type in the body, and its address behind it", (
        404, {**LAMBDA, "x-amzn-ErrorType": "ResourceNotFoundException:http://internal.amazon.com/coral/com.amazonaws.lambda/"},
        json.dumps({"Type": "User", "Message": "Function not found: ships"}),
    )),
    (INVOKE, "service", (
        500, {**LAMBDA, "x-amzn-ErrorType": "ServiceException"}, json.dumps({"Type": "Service", "Message": "pool is gone"}),
    )),
    (INVOKE, "network", (
        502, {**LAMBDA, "x-amzn-ErrorType": "EC2AccessDeniedException"},
        json.dumps({"Type": "Service", "Message": "pool is gone"}),
    )),
    (DASHBOARD, "no dashboard, in CloudWatch's query form", (
        404, {**JSON10, "x-amzn-query-error": "ResourceNotFound;Sender"},
        typed("com.amazonaws.cloudwatch#ResourceNotFound", "Dashboard none does not exist"),
    )),
    (BUS, "no bus, in CBOR", (
        404, CBOR, cbor(__type="com.amazonaws.eventbridgev2#ResourceNotFoundException", message="Event bus none does not exist."),
    )),
    (BUS, "internal, in CBOR", (500, CBOR, cbor(__type="com.amazonaws.eventbridgev2#InternalException", message="pool is gone"))),
]


def cases(moto, documented):
    """The SDK, the error, the service's address, the answer that it is given, and the call."""
    for service, error, operation, arguments in LIVE:
        yield f"boto3 {service}", error, moto, None, call(service, operation, arguments)
    for (service, operation, arguments), error, answer in DOCUMENTED:
        yield f"boto3 {service}", error, documented, answer, call(service, operation, arguments)


def call(service, operation, arguments):
    return lambda url: getattr(client(url, service), operation)(**arguments)
