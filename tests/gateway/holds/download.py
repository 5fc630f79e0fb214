"""Downloads over one connection: python3 download.py HOST:PORT BYTES; prints the status and how much came."""

import http.client
import sys

connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
connection.request("GET", f"/{sys.argv[2]}")
answer = connection.getresponse()
count = 0
while piece := answer.read(1 << 16):
    count += len(piece)
print(answer.status, count)
