#!/usr/bin/env python3
"""Every byte, and what is more than one, in every text that the API takes.

usage: strings.py VHDD

An answer is right or a refusal, in JSON, CSV and lines that nothing breaks out of; the log has one line for each
request, and nobody is told where the daemon keeps its files.
"""

import csv
import io
import json
import re
import sys
import urllib.parse
import uuid

import rig
import vhd

SPECIAL = [
    ("overlong slash of two bytes", b"\xc0\xaf"),
    ("overlong slash of three bytes", b"\xe0\x80\xaf"),
    ("overlong slash of four bytes", b"\xf0\x80\x80\xaf"),
    ("overlong NUL", b"\xc0\x80"),
    ("high surrogate", b"\xed\xa0\x80"),
    ("low surrogate", b"\xed\xbf\xbf"),
    ("both surrogates", b"\xed\xa0\xbd\xed\xb8\x80"),
    ("beyond the last character", b"\xf4\x90\x80\x80"),
    ("five bytes", b"\xf8\x88\x80\x80\x80"),
    ("cut after one byte", b"a\xe2"),
    ("cut after two bytes", b"a\xe2\x82"),
    ("continuation alone", b"a\x80b"),
    ("byte order mark", "\ufeffa".encode()),
    ("byte order mark of UTF-16", b"\xfe\xff\0a"),
    ("next line", "a\u0085b".encode()),
    ("control sequence of one character", "a\u009b31mb".encode()),
    ("control sequence of the terminal", b"a\x1b[2J\x1b]0;title\x07b"),
    ("line separator", "a\u2028b".encode()),
    ("paragraph separator", "a\u2029b".encode()),
    ("right to left override", "a\u202etxt.exe".encode()),
    ("isolate", "a\u2066b\u2069c".encode()),
    ("no character", "a\ufffeb".encode()),
    ("last character", "a\U0010ffffb".encode()),
    ("four bytes", "a\U0001f600b".encode()),
    ("marks without end", ("a" + "\u0301" * 60).encode()),
    ("line and header", b"a\r\nX-Injected: 1\r\n\r\nb"),
    ("line feed and header", b"a\nX-Injected: 1"),
    ("end of a string", b'a","x":"y'),
    ("end of a document", b'"}]}{"a":[{"'),
    ("end of a cell", b'a",b\r\n"c'),
    ("formula", b"=1+1"),
    ("formats", b"%s%n%x%p%1000d"),
    ("escape of NUL", b"a%00b"),
    ("statement", b"a'; DROP TABLE image; --"),
    ("pattern", b"%_*?[a-z]{1,9}\\"),
    ("markup", b"</script><img src=x onerror=1>"),
    ("path", b"../../../../etc/shadow"),
    ("environment", b"$HOME${PATH}`id`$(id)"),
    ("long and of four bytes", "\U0001f600".encode() * 60),
    ("longer by one byte", b"a" + "\U0001f600".encode() * 60),
    ("longer by two bytes", b"ab" + "\U0001f600".encode() * 60),
    ("longer by three bytes", b"abc" + "\U0001f600".encode() * 60),
]
TEXTS = [(f"byte {byte:#04x}", bytes([byte])) for byte in range(256)] + SPECIAL

NAME = re.compile(rb"[A-Za-z0-9._~-]*")
STATUSES = {200, 201, 204, 206, 304, 400, 403, 404, 405, 406, 409, 412, 413, 415, 416, 422, 428, 431, 501}
# What moves the cursor, ends a line or turns the order of the characters.
UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def is_text(raw):
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def json_text(raw):
    """As a client would write it: escaped as far as JSON knows escapes, and otherwise as it is."""
    out = b""
    for byte in raw:
        one = bytes([byte])
        out += b"\\u%04x" % byte if byte < 0x20 else b"\\" + one if one in b'"\\' else one
    return b'"' + out + b'"'


class Strings:
    def __init__(self, daemon, rows):
        self.daemon, self.rows, self.sent, self.faults = daemon, rows, 0, []
        self.talk = rig.Talk(daemon.socket)

    def ask(self, method, target, body=b"", headers=()):
        self.sent += 1
        answer = self.talk.ask(method, target, body, headers)
        wrong = self.wrong(answer)
        if wrong:
            self.faults.append(wrong)
        return answer

    def wrong(self, answer):
        """Whether something has broken out of the answer."""
        if answer.status not in STATUSES:
            return f"answered {answer}"
        if re.search(rb"[^\x20-\x7e\r\n]", answer.head) or re.search(rb"(?<!\r)\n|\r(?!\n)", answer.head):
            return f"the head has {answer.head!r}"
        if any(not re.match(rb"[A-Za-z0-9-]+: ?", line) for line in answer.lines) or "x-injected" in answer.headers:
            return f"the head has the lines {answer.lines}"
        # Where the pool is, /v1/pools tells to everybody.
        if re.search(re.escape(str(self.daemon.work)).encode() + rb"/(?!root|state/images)|SQL|sqlite", answer.body):
            return f"tells of the inside: {answer}"
        return self.wrong_body(answer)

    @staticmethod
    def wrong_body(answer):
        kind = answer.headers.get("content-type", "")
        if not answer.body or kind == "application/octet-stream":
            return None
        try:
            text = answer.body.decode()
            if kind.startswith("text/plain") and UNSEEN.search(text):
                return f"text moves the cursor: {answer}"
            if "json" in kind and "ndjson" not in kind:
                json.loads(text)
        except ValueError as why:
            return f"no text or no JSON: {why}: {answer}"
        return None

    def place(self, name, use):
        """One row: all texts in one place. `use` answers what is wrong besides."""
        for what, raw in TEXTS:
            self.faults = []
            more = use(raw)
            wrong = ([more] if more else []) + self.faults
            self.rows.row(f"{what} in {name}", wrong and "; ".join(wrong))

    # ---- where texts go

    def stored(self, member, outer, back):
        """Kept as it came, or refused as no JSON."""

        def use(raw):
            answer = self.ask("PATCH", "/v1/images/one", b"{" + outer % json_text(raw) + b"}")
            good = is_text(raw) and b"\0" not in raw
            if good and len(raw) < 255 and answer.status == 200:
                kept = back(self.ask("GET", "/v1/images/one").json)
                return kept != raw.decode() and f"kept as {kept!r}"
            return (answer.status != 400 or good) and f"answered {answer}"

        self.place(member, use)

    def named(self, method, name, body):
        """A name is kept or refused."""

        def use(raw):
            answer = self.ask(method, "/v1/images", body % json_text(raw))
            if answer.status != 201:
                return answer.status not in (400, 409) and f"answered {answer}"
            return (not NAME.fullmatch(raw) or answer.json["name"].encode() != raw) and f"taken: {answer}"

        self.place(name, use)

    def refused(self, name, body, statuses=(201, 400, 403, 404, 422)):
        def use(raw):
            answer = self.ask("POST", "/v1/images", body % json_text(raw))
            return answer.status not in statuses and f"answered {answer}"

        self.place(name, use)

    def asked(self, name, target, method="GET", headers=(), body=b""):
        """In a target, escaped and as it is."""

        def use(raw):
            self.ask(method, target.encode() % urllib.parse.quote(raw, safe="").encode(), body, headers)
            if re.fullmatch(rb"[!-~\x80-\xff]+", raw):
                self.ask(method, target.encode() % raw, body, headers)

        self.place(name, use)

    def header(self, name, method="GET", target="/v1/images/one", accept=b""):
        def use(raw):
            # A line that ends is another line: what the gate does with those is for raw.py.
            raw = raw.replace(b"\r", b"").replace(b"\n", b"")
            lines = [name.encode() + b": " + raw] + ([b"Accept: " + accept] if accept else [])
            self.ask(method, target, b"", lines)

        self.place(f"the header {name}", use)


def bodies(strings):
    strings.stored("description", b'"description":%s', lambda image: image["description"])
    strings.stored("the value of a label", b'"labels":{"key":%s}', lambda image: image["labels"]["key"])
    strings.named("POST", "name", b'{"size":"64K","name":%s}')
    for name, body in [
        ("parent", b'{"parent":%s}'),
        ("uuid", b'{"size":"1M","uuid":%s}'),
        ("size", b'{"size":%s}'),
        ("kind", b'{"size":"1M","kind":%s}'),
        ("features", b'{"size":"1M","features":[%s]}'),
        ("an unknown member", b'{"size":"1M",%s:1}'),
        ("the path of a file", b'{"source":{"path":%s}}'),
        ("a search path", b'{"source":{"path":"x.vhd","search_path":[%s]}}'),
        ("a search path that is absolute", b'{"source":{"path":"x.vhd","search_path":["/",%s]}}'),
        ("the mode of an adoption", b'{"source":{"path":"x.vhd","mode":%s}}'),
    ]:
        strings.refused(name, body)

    def key(raw):
        answer = strings.ask("PATCH", "/v1/images/one", b'{"labels":{%s:"v"}}' % json_text(raw))
        taken = re.fullmatch(rb"[A-Za-z0-9._/-]{1,63}", raw)
        if answer.status == 200:
            strings.ask("PATCH", "/v1/images/one", b'{"labels":{%s:null}}' % json_text(raw))
        return (answer.status == 200) != bool(taken) and f"answered {answer}"

    strings.place("the key of a label", key)


def forms(strings):
    def use(member):
        def send(raw):
            size = b"" if member == b"parent" else b"size=64K&"
            body = size + b"%s=%s" % (member, urllib.parse.quote_plus(raw).encode())
            answer = strings.ask("POST", "/v1/images", body)
            return answer.status not in (201, 400, 404, 409) and f"answered {answer}"

        return send

    for member in (b"name", b"parent", b"kind"):
        strings.place(f"{member.decode()} of a form", use(member))


def targets(strings):
    for name, target in [
        ("the path", "/%s"),
        ("the name of an image", "/v1/images/%s"),
        ("the name of an image's data", "/v1/images/%s/data"),
        ("the number of a sector", "/v1/images/one/sectors/%s"),
        ("the key of a field", "/v1/images/one/fields/%s"),
        ("the name of a pool", "/v1/pools/%s"),
        ("the code of a problem", "/problems/%s"),
        ("a parameter's name", "/v1/images?%s=1"),
        ("?label", "/v1/images?label=%s"),
        ("?q", "/v1/images?q=%s"),
        ("?name", "/v1/images?name=%s"),
        ("?parent", "/v1/images?parent=%s"),
        ("?fields", "/v1/images?fields=%s"),
        ("?fields as CSV", "/v1/images?format=csv&fields=%s"),
        ("?fields as text", "/v1/images?format=text&fields=%s"),
        ("?sort", "/v1/images?sort=%s"),
        ("?cursor", "/v1/images?cursor=%s"),
        ("?format", "/v1/images?format=%s"),
        ("?limit", "/v1/images?limit=%s"),
        ("?offset", "/v1/images/one/data?offset=%s"),
    ]:
        strings.asked(name, target)
    strings.asked("a path refused as text", "/v1/images/%s", headers=[b"Accept: text/plain"])
    strings.asked("a parameter refused as text", "/v1/images?limit=%s", headers=[b"Accept: text/plain"])


def heads(strings):
    strings.header("Range", target="/v1/images/one/data")
    strings.header("Want-Repr-Digest", target="/v1/images/one/data")
    for name in ("X-Request-Id", "Accept", "If-Match", "If-None-Match", "Origin", "User-Agent"):
        strings.header(name)
    strings.header("Origin", accept=b"text/plain")
    strings.header("Sec-Fetch-Site")
    strings.header("Access-Control-Request-Headers", "OPTIONS")
    strings.header("Content-Type", "POST", "/v1/images")
    strings.header("Content-Encoding", "PUT", "/v1/images/one/data")


def views(strings):
    """All descriptions at once, in each of the formats, before and after a start."""
    wanted = {}
    for number, (_, raw) in enumerate(TEXTS):
        if is_text(raw) and b"\0" not in raw:
            wanted[f"view-{number}"] = raw.decode()
            body = b'{"size":"64K","name":"view-%d","description":%s}' % (number, json_text(raw))
            strings.ask("POST", "/v1/images", body)
    for when in ("", " after a start"):
        view(strings, wanted, when)
        if not when:
            strings.talk.end()
            strings.daemon.stop()
            strings.daemon.start()
            strings.sent += 1


def view(strings, wanted, when):
    def get(form):
        return strings.ask("GET", f"/v1/images?limit=1000&name=view-*&fields=name,description&format={form}")

    def pairs(items):
        return {item["name"]: item["description"] for item in items}

    strings.faults = []
    found = get("json")
    strings.rows.row(f"descriptions in JSON{when}", pairs(found.json["items"]) != wanted and str(found))
    lines = [json.loads(line) for line in get("ndjson").body.split(b"\n")[:-1]]
    strings.rows.row(f"descriptions in NDJSON{when}", pairs(lines[:-1]) != wanted and str(lines[:3]))
    table = list(csv.reader(io.StringIO(get("csv").body.decode(), newline="")))
    strings.rows.row(f"descriptions in CSV{when}", dict(table[1:]) != wanted and str(table[:3]))
    text = get("text").body.decode()
    strings.rows.row(f"one line for each in text{when}", len(text.split("\n")) != len(wanted) + 2 and text[:300])
    strings.rows.row(f"answers of lists are whole{when}", "; ".join(strings.faults))


def images(strings):
    """What a file says of itself: the name of its parent and its locators."""
    root = strings.daemon.work / "root"
    parent = uuid.uuid4().bytes
    vhd.growing(root / "parent.vhd", parent, 64 << 10)

    def locators(raw):
        return [
            vhd.mac("file://./parent.vhd"), vhd.mac(raw), vhd.relative(raw),
            vhd.absolute(raw.decode("utf-8", "replace")), vhd.relative(raw.decode("utf-8", "replace")),
        ]

    def use(raw):
        child = root / "child.vhd"
        name = raw.decode("utf-8", "surrogateescape")
        vhd.growing(child, uuid.uuid4().bytes, 64 << 10, parent, name, locators(raw))
        answer = strings.ask("POST", "/v1/images", {"source": {"path": str(child)}})
        if answer.status != 201:
            return f"answered {answer}"
        ident = answer.json["image"]["id"]
        for target in ("", "/layout?format=text", "/chain?format=text", "/children", "/extents"):
            strings.ask("GET", f"/v1/images/{ident}{target}")
        fields = strings.ask("GET", f"/v1/images/{ident}/fields").body.count(b"\n")
        wanted = len(strings.ask("GET", f"/v1/images/{ident}/fields?format=json").json)
        strings.ask("DELETE", f"/v1/images/{ident}")
        return fields != wanted and f"{fields} lines for {wanted} fields"

    strings.place("what an image says of its parent", use)


def log(strings):
    """As many lines as requests, each of them JSON of printable ASCII."""
    lines = strings.daemon.log.read_bytes().split(b"\n")[:-1]
    odd = [line for line in lines if re.search(rb"[^\x20-\x7e]", line)]
    strings.rows.row("the log is printable", odd and str(odd[:3]))
    told = [json.loads(line) for line in lines]
    requests = [line for line in told if line["message"] == "request" and line["path"] != "/readyz"]
    probes = strings.sent - len(requests)
    strings.rows.row("the log has a line for each request", abs(probes) > 1 and f"{len(requests)} for {strings.sent}")


def main(program):
    rows = rig.Rows()
    with rig.folder() as work:
        daemon = rig.Vhdd(program, work, f"[pool]\nroots = {work}/root\n")
        (daemon.work / "root").mkdir()
        strings = Strings(daemon, rows)
        try:
            daemon.start()
            strings.ask("POST", "/v1/images", {"name": "one", "size": "1M"})
            for part in (bodies, forms, targets, heads, images, views):
                part(strings)
            daemon.stop()
        finally:
            daemon.kill()
        log(strings)
        print(f"{strings.sent} requests")
    print(f"figure: sec.strings ={rows.passed}")
    return rows.end(15000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
