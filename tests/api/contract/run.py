#!/usr/bin/env python3
"""The daemon and api/openapi.yaml say the same: each answer is one that the document describes, down to members and
headers that it does not name; all that it describes has been answered; what its schemas refuse is refused. In the end
the document is changed here and there, and each change must be noticed.

usage: run.py VHDD
"""

import base64
import hashlib
import json
import pathlib
import re
import sys
from urllib.parse import parse_qsl, urlsplit

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "model"))

import wire  # noqa: E402
from daemon import Daemon  # noqa: E402
from document import Document  # noqa: E402

# Never answered here: a daemon that is not ready is that of api/space.sh.
UNSEEN = {"get /readyz: never 503", "get /readyz: 503 never as application/json"}
WRONG = [None, [], {}, 7.5, "", "?", -1, True, 12345]
SECTOR = b"x" * 512
FLUSH = b'{"op":"flush"}'
OTHER_MD5 = "AAAAAAAAAAAAAAAAAAAAAA=="


class Answer:
    def __init__(self, document, method, target, headers, answer):
        url = urlsplit(target)
        self.target, self.method, self.template = target, method.lower(), document.template(url.path)
        self.asked = [name for name, _ in parse_qsl(url.query, keep_blank_values=True)] + list(headers)
        self.status, self.body = answer.status, answer.body
        self.headers = dict(answer.headers.items())
        self.kind = self.headers.get("Content-Type", "").split(";")[0]

    def __str__(self):
        return f"{self.method} {self.target}: {self.status} {self.kind}"


class Client:
    def __init__(self, daemon):
        self.socket = daemon.socket
        self.peer = wire.Peer(self.socket)
        self.document = Document(self.peer.ask("GET", "/v1/openapi.json").json())
        self.answers = []

    def ask(self, method, target, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        got = self.peer.ask(method, target, body, headers)
        self.answers.append(Answer(self.document, method, target, headers, got))
        return self.answers[-1]

    def get(self, target, **headers):
        return self.ask("GET", target, **headers)


def digests(octets):
    def encoded(name):
        return base64.b64encode(hashlib.new(name, octets).digest()).decode()

    return {"Content_MD5": encoded("md5"), "Content_Digest": f"sha-256=:{encoded('sha256')}:"}


# ---- every operation, with everything that can be asked of it

def create(client):
    client.ask("POST", "/v1/images", {"name": "base", "size": "8M", "description": "d", "labels": {"env": "prod"}})
    client.ask("POST", "/v1/images", b"name=fx&kind=fixed&size=1M&preallocation=falloc")
    client.ask("POST", "/v1/images", {
        "name": "web-1", "parent": "base", "kind": "differencing", "size": 16 << 20, "saved_state": True, "pool": "default",
        "uuid": "89a62601-c82a-447a-a7fd-f7f379195e80", "features": ["temporary"], "relative_path": False,
        "block_size": 2097152, "timestamp": "2026-11-22T06:00:00Z", "creator_application": "tap"})
    client.ask("PUT", "/v1/images/put", {"size": "1M"})
    client.ask("PUT", "/v1/images/put", {"size": "1M"})
    client.ask("PUT", "/v1/images/put", {"size": "2M"})
    client.ask("POST", "/v1/images/web-1/snapshots", {"name": "web-2"})
    client.ask("POST", "/v1/images/web-1/snapshots", {"size": 7})
    number = client.ask("PUT", "/v1/images/gone", {"size": "1M"})
    name = json.loads(number.body)["file"]
    client.ask("DELETE", "/v1/images/gone?keep_file=1")
    client.ask("DELETE", "/v1/images/gone?missing_ok=1")
    client.ask("DELETE", "/v1/images/gone")
    client.ask("POST", "/v1/images", {"name": "found", "source": {
        "path": name, "search_path": [json.loads(client.get("/v1/pools/default").body)["path"]], "chain": True,
        "mode": "link", "kind": "dynamic", "rw": False, "strict": False, "check": "quick"}})


def examples(client):
    """What is the same for every daemon of this version is so in the example, too."""
    about = client.document.paths["/v1"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    live = json.loads(client.get("/v1").body)
    for name in ("api", "server", "features", "limits", "links"):
        if about[name] != live[name]:
            yield f"the example of /v1: {name} is {live[name]}"


def change(client):
    client.ask("PATCH", "/v1/images/fx", {
        "name": "fixed", "description": None, "labels": {"a": "b", "c": None}, "saved_state": True, "features": []})
    client.ask("PATCH", "/v1/images/fixed", {"frozen": True})
    for verb in ("freeze", "thaw", "recover"):
        client.ask("POST", f"/v1/images/fixed/actions/{verb}")
        client.ask("POST", f"/v1/images/fixed/actions/{verb}", {"force": True})
    client.ask("PATCH", "/v1/images/fixed", {"size": 5})
    client.ask("DELETE", "/v1/images/base")
    client.ask("PATCH", "/v1/images/fixed", {"frozen": True}, If_Match='"m0"')
    client.ask("PUT", "/v1/images", {})


def tables(client, target, kinds):
    joint = "&" if "?" in target else "?"
    for kind in kinds:
        client.get(f"{target}{joint}format={kind}")


def look(client):
    for target in ("/", "/healthz", "/readyz?verbose=1", "/v1", "/v1/openapi.json", "/problems", "/problems/bad-framing", "/v1/pools",
                   "/v1/pools/default", "/v1/images/web-2/chain?fields=name"):
        client.get(target)
        client.get(target + ("&" if "?" in target else "?") + "x=1")
    client.get("/problems/none-of-them")
    formats = ("json", "ndjson", "text", "csv")
    filters = ["sort=name&count=1&limit=1", "fields=id,name", "embed=chain,children,parent", "since=24h", "kind=fixed",
               "state=ready", "parent=base", "root=base", "label=env", "name=w*", "path=default/*",
               "pool=default", "writable=y", "frozen=n", "q=a", "depth=0",
               *(f"{number}=1&{number}.gt=0&{number}.ge=0&{number}.lt=1T&{number}.le=1T&{number}.ne=9"
                 for number in ("depth", "virtual_size", "usage.file", "children_count"))]
    for path in ("/v1/images", "/v1/images/base/children", "/v1/images/base/snapshots"):
        tables(client, path, formats)
        for query in filters:
            client.get(f"{path}?{query}")
        client.get(path, If_None_Match=client.get(path).headers["ETag"])
        client.get(path, If_Match='"c0"')
    client.ask("POST", "/v1/images/base/snapshots", {"name": "other"})
    for path in ("/v1/images", "/v1/images/base/children", "/v1/images/base/snapshots"):
        page = client.get(f"{path}?limit=1")
        client.get(f"{path}?limit=1&cursor={json.loads(page.body)['next']}")
    for path in ("/v1/images/web-2", "/v1/images/web-2?embed=chain,parent", "/v1/images/web-1?fields=name", "/v1/images/web-2/chain"):
        client.get(path, If_None_Match=client.get(path).headers["ETag"])
    client.get("/v1/images/nobody", Accept="text/plain")
    tables(client, "/v1/images/web-2/chain", formats)
    tables(client, "/v1/pools", formats)
    for path in ("/v1/images/web-2/fields", "/v1/images/web-2/fields/current_size"):
        tables(client, path, ("text", "json", "xml"))
    tables(client, "/v1/images/web-2/layout", formats)
    for kind in formats:
        client.get(f"/v1/images/web-2/layout?start=1&limit=1&format={kind}")


def content(client):
    data = "/v1/images/web-2/data"
    client.ask("PUT", f"{data}?offset=1M&flush=n&detect_zeroes=n&aligned=y", SECTOR, **digests(SECTOR))
    client.ask("PUT", data, SECTOR, Content_Range="bytes 512-1023/*", If_Match=client.get(data).headers["ETag"])
    client.ask("PUT", data, SECTOR, Content_MD5=OTHER_MD5)
    client.ask("PUT", data, SECTOR, If_Match='"d0"')
    client.ask("PUT", "/v1/images/base/data", SECTOR)
    client.ask("PUT", f"{data}?offset=1T", SECTOR)
    client.ask("PUT", data, b"")
    client.ask("POST", f"{data}?op=flush")
    client.ask("POST", data)
    for body in ({"op": "zero", "offset": 0, "length": 512}, {"op": "flush"}, b"op=flush", {"ops": [
            {"op": "zero", "sector": 0, "count": 1}, {"op": "zero", "offset": "1M", "size": "1K"},
            {"op": "discard", "offset": 0, "length": 1}, {"op": "write", "sector": 1, "base64": "AAECAw=="}]}):
        client.ask("PATCH", f"{data}?flush=y", body)
    client.ask("PATCH", data, FLUSH, **digests(FLUSH))
    client.ask("PATCH", data, FLUSH, Content_MD5=OTHER_MD5)
    client.ask("PATCH", data, b"x", Content_Type="text/html")
    client.ask("PATCH", data, b"Content-Range: bytes 5-9/*\r\n\r\nhello", Content_Type="message/byterange")
    client.ask("PATCH", data, b'{"op":"flush"}\n', Content_Type="application/vnd.vhdd.ops+ndjson")
    client.ask("PATCH", data, {"ops": [{"op": "flush"}, {"op": "zero", "offset": "1T", "length": 1}]})
    for path in (data, "/v1/images/*/data", "/v1/images/nobody/data"):
        client.ask("OPTIONS", path)
    for ranges in ("bytes=0-0", "bytes=0-0,9000-9000", "bytes=5-4", "bytes=1000000000-"):
        client.get(data, Range=ranges)
    for target in (f"{data}?sector=2048&count=2", f"{data}?op=writes", f"{data}?count=1", f"{data}?sector=1T"):
        client.get(target)
    tag = client.get(data, Range="bytes=0-0").headers["ETag"]
    client.get(data, If_None_Match=tag)
    client.get(data, If_Match='"d0"')
    client.get("/v1/images/base/data", If_Modified_Since="Thu, 01 Jan 2026 00:00:00 GMT")


def sectors(client):
    base = "/v1/images/web-2"
    targets = ("/sectors?start=0&count=4096&limit=1", "/sectors/2048", "/sectors/1",
               "/extents?start=0&length=4M&limit=1&layers=top&min=4K&detail=provenance", "/extents?detail=flags")
    for target in targets:
        client.get(base + target, If_None_Match=client.get(base + target).headers["ETag"])
    tables(client, f"{base}/sectors?limit=1", ("json", "text", "csv"))
    tables(client, f"{base}/extents?limit=1", ("json", "ndjson", "text", "csv", "xml"))
    client.get(f"{base}/sectors?start=1T")
    client.get(f"{base}/sectors/99999999")
    client.get(f"{base}/extents?start=1")
    client.ask("POST", f"{base}/sectors", {"sectors": [0, 2048]})
    client.ask("POST", f"{base}/sectors", {"sectors": [0, 99999999]})


def wait_for(client):
    """What waits in vain for an upload that does not go on."""
    upload = wire.Peer(client.socket)
    upload.connection.putrequest("PUT", "/v1/images/put/data")
    upload.connection.putheader("Content-Length", "1024")
    upload.connection.endheaders(SECTOR)
    while not json.loads(client.get("/v1/images/put/data?op=writes").body)["items"]:
        pass
    client.ask("DELETE", "/v1/images/put")
    upload.drop()


# ---- what the schemas of bodies refuse

def refusals(client, path, method, body, start):
    """For each field all wrong values that its schema refuses; what the daemon takes must be none of them."""
    document = client.document
    kinds = document.paths[document.template(path)][method.lower()]["requestBody"]["content"]
    schema = kinds["application/json"]["schema"]
    names = {*document.strict(schema).get("properties", {}), *start(body)}
    tried = 0
    for name in sorted(names):
        for wrong in WRONG:
            changed = json.loads(json.dumps(body))
            start(changed)[name] = wrong
            if not document.wrong(schema, changed):
                continue
            answer = client.ask(method, path, changed)
            tried += 1
            if answer.status < 400 or answer.status == 500:
                yield f"{method} {path}: {changed} is {answer.status}, and the schema refuses it"
    if tried < 5:
        yield f"{method} {path}: only {tried} bodies were refused"


def whole(body):
    return body


def all_refusals(client):
    yield from refusals(client, "/v1/images", "POST", {"size": "1M"}, whole)
    yield from refusals(client, "/v1/images", "POST", {"source": {"path": "/nowhere.vhd"}}, lambda body: body["source"])
    yield from refusals(client, "/v1/images/new", "PUT", {"size": "1M"}, whole)
    yield from refusals(client, "/v1/images/web-2", "PATCH", {}, whole)
    yield from refusals(client, "/v1/images/web-2/snapshots", "POST", {}, whole)
    yield from refusals(client, "/v1/images/web-2/sectors", "POST", {"sectors": [0]}, whole)
    yield from refusals(client, "/v1/images/web-2/data", "PATCH", {"op": "zero", "offset": 0, "length": 1}, whole)
    yield from refusals(client, "/v1/images/web-2/data", "PATCH", {"ops": [{"op": "zero", "sector": 0, "count": 1}]},
                        lambda body: body["ops"][0])
    yield from bodies(client)


def bodies(client):
    """A body is required where a request without one is refused, also for an image that is there."""
    for method, path in (("POST", "/v1/images"), ("PUT", "/v1/images/web-2"), ("PATCH", "/v1/images/web-2"),
                         ("PUT", "/v1/images/web-2/data"), ("PATCH", "/v1/images/web-2/data"),
                         ("POST", "/v1/images/web-2/sectors"), ("POST", "/v1/images/web-2/snapshots")):
        operation = client.document.paths[client.document.template(path)][method.lower()]
        status = client.ask(method, path).status
        if operation["requestBody"]["required"] != (status in (400, 411)):
            yield f"{method} {path} without a body is {status}, and the document says another thing"


# ---- changes of the document, each of which is a lie

def schema_of(document, name):
    return document["components"]["schemas"][name]


def get_list(document):
    return document["paths"]["/v1/images"]["get"]


LIES = {
    "a member is not described": lambda d: schema_of(d, "Image")["properties"].pop("linked"),
    "a member has another type": lambda d: schema_of(d, "Image")["properties"].update(depth={"type": "string"}),
    "a member is required that there is not": lambda d: schema_of(d, "Problem")["required"].append("colour"),
    "a value is not described": lambda d: schema_of(d, "Image")["properties"].update(kind={"enum": ["dynamic"]}),
    "a status is not described": lambda d: get_list(d)["responses"].pop("304"),
    "a status is described that never comes": lambda d: get_list(d)["responses"].update({"202": {"description": "x"}}),
    "a type is not described": lambda d: get_list(d)["responses"]["200"]["content"].pop("text/csv"),
    "a type is described that never comes":
        lambda d: get_list(d)["responses"]["200"]["content"].update({"text/html": {}}),
    "a header is not described": lambda d: get_list(d)["responses"]["200"]["headers"].pop("ETag"),
    "a header is described that never comes": lambda d: get_list(d)["responses"]["200"]["headers"].update(
        {"X-Colour": {"schema": {"type": "string"}}}),
    "a header is required that is missing now and then":
        lambda d: d["components"]["headers"]["NextPage"].update(required=True),
    "a header has another type": lambda d: d["components"]["headers"]["WriteEpoch"].update(schema={"type": "boolean"}),
    "a parameter that nobody uses": lambda d: get_list(d)["parameters"].append(
        {"name": "colour", "in": "query", "schema": {"type": "string"}}),
    "an example is wrong": lambda d: get_list(d)["responses"]["200"]["content"]["application/json"].update(
        example={"items": 1}),
    "a reference leads nowhere": lambda d: get_list(d)["responses"].update({"200": {"$ref": "#/components/x/y"}}),
    "two operations have one name": lambda d: get_list(d).update(operationId="getImage"),
}


def all_complaints(document, answers):
    found = list(document.complaints())
    if any("there is no" in complaint for complaint in found):
        return found
    for answer in answers:
        found += document.of_answer(answer)
    return found + [what for what in document.unseen(answers) if what not in UNSEEN]


def main(program):
    daemon = Daemon(program)
    try:
        daemon.start()
        client = Client(daemon)
        for scene in (create, change, look, content, sectors, wait_for):
            scene(client)
        complaints = [*all_refusals(client), *examples(client)] + all_complaints(client.document, client.answers)
        daemon.stop()
    finally:
        daemon.remove()
    complaints += [f"a lie is not noticed: {lie}" for lie, change_it in LIES.items()
                   if not set(all_complaints(client.document.changed(change_it), client.answers)) - set(complaints)]
    for complaint in dict.fromkeys(re.sub(r"\s+", " ", complaint) for complaint in complaints):
        print(complaint)
    successes = sum(answer.status < 400 for answer in client.answers)
    print(f"{len(client.answers)} answers, {successes} successes, {len(complaints)} complaints, {len(LIES)} lies")
    return bool(complaints) or successes < 150


sys.exit(main(*sys.argv[1:]))
