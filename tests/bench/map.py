#!/usr/bin/env python3
"""Reads the whole map of an image, page by page over one connection: map.py PORT IMAGE."""
import http.client
import re
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
at = "0"
while at != "null":
    connection.request("GET", f"/v1/images/{sys.argv[2]}/extents?start={at}")
    answer = connection.getresponse()
    page = answer.read()
    if answer.status != 200:
        sys.exit(page.decode())
    at = re.search(rb'"next_start":(\w+)', page[-200:])[1].decode()
