"""SDKs of products that know their own form of errors alone (R10), with and without the gateway before the service. Of each 4xx
they raise the same class with the same code and text, and of each 5xx the same class.

    sdks.py GATEWAY_COMMAND
"""

import logging
import os
import subprocess
import sys

# Nobody's account, and no look for one.
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

import aws
import products
from documented import Service
from moto.server import ThreadedMotoServer

# What differs, and why. A row that is the same again fails, until its reason here goes.
KNOWN = {
    ("boto3 s3", "range, without an id"): "moto sends no x-amz-request-id with this one error, as S3 does: see the row `range`",
    ("boto3 cloudwatch", "no dashboard"): "moto's content-type is `text`, which is no media type, so nothing of the body is read",
    ("boto3 sns", "internal"): "R10 rewrites the XML of a 5xx as JSON, which botocore's query protocol cannot parse",
    ("boto3 ec2", "too many"): "as for SNS",
    ("boto3 eventbridgev2", "no bus, in CBOR"): 'R10 has no row for CBOR, in which `{"error"` begins a length of exabytes',
    ("boto3 eventbridgev2", "internal, in CBOR"): "as for the 404",
    ("kubernetes", "unknown path, as text"): "a text has no form that R10 could know; class, status and message stay",
    ("kubernetes", "too many, as text"): "as for an unknown path; retry-after stays",
    ("opensearch", "no document"): "OpenSearch has no header of its own, and this body has neither root_cause nor status",
    ("opensearch", "method"): "OpenSearch has no header of its own, and this body has no root_cause",
    ("opensearch", "no credentials, as text"): "a text has no form that R10 could know; class and message stay",
    ("docker", "no container, by Podman"): "none of Docker's headers is sent, and docker-py fails on a body without `message`",
    ("python-dxf", "Harbor's own code"): "R10 knows the codes of the OCI specification alone",
}


class Gateway:
    """The gateway in front of a service, without a policy: in `enforce`."""

    def __init__(self, command, upstream):
        self.process = subprocess.Popen(
            [command, "gateway", "--listen", "127.0.0.1:0", "--upstream", upstream],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self.url = next(line.split()[-1] for line in self.process.stdout if line.startswith("listening on "))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def raised(call, url, seen):
    """The error that a call ends with, its class, its code, everything that a program can read of it, and its text."""
    try:
        call(url)
    except Exception as error:
        try:
            return error, type(error).__name__, *seen(error)
        except AttributeError:
            # It is not the SDK's own error.
            return error, type(error).__name__, None, str(error), str(error)
    return None, None, None, None, None


def cases(moto, documented):
    """The SDK, the error, the service's address, the answer that it is given, the call, and how the SDK's error is read."""
    for sdk, error, url, answer, call in aws.cases(moto, documented.url):
        yield sdk, error, url, answer, call, aws.seen
    for sdk, seen, rows in products.SDKS:
        for error, call, answer in rows:
            yield sdk, error, documented.url, answer, call, seen


def short(kind, code, _, text):
    text = " ".join(f"{text or ''}".split())
    return f"{kind} {code}: {text if len(text) <= 44 else text[:43] + '…'}"


def main(command):
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    moto_url = "http://{}:{}".format(*moto.get_host_and_port())
    documented = Service()
    aws.prepare(moto_url)
    gateways = {url: Gateway(command, url) for url in (moto_url, documented.url)}

    counts = dict.fromkeys(("passed", "failed"), 0)
    known = dict(KNOWN)
    print("SDK | error | status | direct | through the gateway | same")
    print("--- | --- | --- | --- | --- | ---")
    for sdk, name, url, answer, call, seen in cases(moto_url, documented):
        if answer:
            documented.will_answer(*answer)
        error, *direct = raised(call, url, seen)
        _, *through = raised(call, gateways[url].url, seen)
        status = answer[0] if answer else error.response["ResponseMetadata"]["HTTPStatusCode"]
        same = direct == through if status < 500 else direct[0] == through[0]
        reason = known.pop((sdk, name), None)
        # An error of Python's own is a mistake of this test.
        is_own = error is not None and type(error).__module__ != "builtins"
        failed = not is_own or same == bool(reason)
        counts["failed" if failed else "passed"] += 1
        if same:
            verdict = "SAME AGAIN" if reason else "same"
        else:
            verdict = "known" if reason else "DIFFERENT"
        print(sdk, name, status, short(*direct), short(*through), verdict, sep=" | ")
        if failed:
            print(f"    direct:  {direct}\n    gateway: {through}")
    for gateway in gateways.values():
        gateway.stop()
    moto.stop()

    for (sdk, name), reason in KNOWN.items():
        print(f"known: {sdk}, {name}: {reason}")
    for sdk, name in known:
        counts["failed"] += 1
        print(f"known, but no row: {sdk}, {name}")
    print("{passed} passed, {failed} failed".format(**counts))
    return counts["failed"] > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
