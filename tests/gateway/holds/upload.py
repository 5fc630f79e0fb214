"""Uploads zeros as a blocking client does, which reads nothing before it has sent everything.

python3 upload.py HOST:PORT length|chunked BYTES; prints the status and the body, then the error code and the id.
"""

import http.client
import sys

address, framing, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
PIECE = bytes(1 << 16)


def pieces():
    for _ in range(size // len(PIECE)):
        yield PIECE
    yield PIECE[: size % len(PIECE)]


connection = http.client.HTTPConnection(address, timeout=60)
headers = {"content-length": str(size)} if framing == "length" else {}
connection.request("POST", "/upload", pieces(), headers, encode_chunked=framing == "chunked")
answer = connection.getresponse()
print(answer.status, answer.read().decode())
print(answer.getheader("x-error-code"), answer.getheader("x-request-id"))
