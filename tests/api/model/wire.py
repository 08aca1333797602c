"""HTTP as the clients of the model speak it: kept connections over TCP or a Unix socket, and replies that get lost."""

import http.client
import itertools
import json
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))

from unix_http import UnixConnection  # noqa: E402

clock = itertools.count(1).__next__  # what comes before what; one step of it is atomic


class Answer:
    def __init__(self, response, method):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.length = response.headers["Content-Length"]
        if method != "HEAD" and self.status not in (204, 304) and self.length != str(len(self.body)):
            raise http.client.IncompleteRead(self.body)

    def json(self):
        return json.loads(self.body) if self.body else {}

    @property
    def code(self):
        return self.headers["X-Error-Code"]


class Peer:
    """One client: a connection that lives as long as the daemon lets it."""

    def __init__(self, address):
        self.connection = UnixConnection(address) if isinstance(address, str) else http.client.HTTPConnection(
            "127.0.0.1", address, timeout=60)

    def send(self, method, path, body=None, headers=None):
        if isinstance(body, dict):
            body = json.dumps(body)
        self.connection.request(method, path, body, headers or {})

    def receive(self, method="GET"):
        return Answer(self.connection.getresponse(), method)

    def ask(self, method, path, body=None, headers=None):
        self.send(method, path, body, headers)
        return self.receive(method)

    def drop(self):
        self.connection.close()
