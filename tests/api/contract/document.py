"""What api/openapi.yaml says: of itself, of an answer, and of all answers together."""

import copy
import json
import re

import jsonschema

# Of every answer, or of the connection: described once, in no operation.
GENERAL = {"Date", "Content-Type", "Content-Length", "Connection", "Cache-Control", "Vary", "X-Request-Id",
           "X-Content-Type-Options", "Last-Modified"}


class Document:
    def __init__(self, document):
        self.document = document
        self.paths = document["paths"]

    def changed(self, change):
        """The same with something else in it."""
        other = copy.deepcopy(self.document)
        change(other)
        return Document(other)

    def find(self, node):
        while "$ref" in node:
            at = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            node = at
        return node

    def strict(self, node):
        """A schema without references, which takes no member that it does not name."""
        node = dict(self.find(node))
        for part in node.pop("allOf", []):
            part = self.strict(part)
            node["properties"] = {**node.get("properties", {}), **part.get("properties", {})}
            node["required"] = [*node.get("required", []), *part.get("required", [])]
        for name in ("oneOf", "anyOf"):
            if name in node:
                node[name] = [self.strict(part) for part in node[name]]
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), dict):
                node[name] = self.strict(node[name])
        if "properties" in node:
            node["properties"] = {name: self.strict(part) for name, part in node["properties"].items()}
            node.setdefault("additionalProperties", False)
        return node

    def wrong(self, schema, value, picked=False):
        """Why the value is none of the schema; nothing when it is one. What was picked from may lack members."""
        validator = jsonschema.Draft202012Validator(self.strict(schema))
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
                for error in validator.iter_errors(value) if not (picked and error.validator == "required")]

    def operations(self):
        for path, item in self.paths.items():
            for method, operation in item.items():
                if method != "parameters":
                    shared = [self.find(parameter) for parameter in item.get("parameters", [])]
                    own = [self.find(parameter) for parameter in operation.get("parameters", [])]
                    yield path, method, operation, shared + own

    def template(self, path):
        """The path of the document that a path of a request is."""
        if path in self.paths:
            return path
        fits = [template for template in self.paths
                if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)]
        return fits[0] if fits else None

    # ---- of itself

    def complaints(self):
        broken = list(self.of_references(self.document, "#"))
        if broken:
            yield from broken
            return
        for name, schema in self.document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            if f'"#/components/schemas/{name}"' not in json.dumps(self.document):
                yield f"nobody refers to the schema {name}"
        tags = {tag["name"] for tag in self.document["tags"]}
        ids = [operation["operationId"] for _, _, operation, _ in self.operations()]
        yield from (f"two operations are called {name}" for name in set(ids) if ids.count(name) > 1)
        for path, method, operation, parameters in self.operations():
            where = f"{method} {path}"
            if not operation.get("summary") or not set(operation["tags"]) <= tags:
                yield f"{where}: no summary, or an unknown tag"
            if "default" not in operation["responses"]:
                yield f"{where}: no problem is described"
            named = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            if named != set(re.findall(r"\{(\w+)\}", path)):
                yield f"{where}: its parameters are {named}"
            for parameter in parameters:
                yield from self.of_examples(parameter, f"{where}, {parameter['name']}")
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                yield from self.of_examples(media, f"{where}, body, {kind}")
            for status, response in operation["responses"].items():
                response = self.find(response)
                for kind, media in response.get("content", {}).items():
                    yield from self.of_examples(media, f"{where}, {status}, {kind}")
                for name, header in response.get("headers", {}).items():
                    yield from self.of_examples(self.find(header), f"{where}, {status}, {name}")

    def of_references(self, node, where):
        for name, part in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(part, (dict, list)):
                yield from self.of_references(part, f"{where}/{name}")
            elif name == "$ref":
                try:
                    self.find(node)
                except KeyError:
                    yield f"{where}: there is no {part}"

    def of_examples(self, holder, where):
        values = [entry["value"] for entry in holder.get("examples", {}).values()]
        if "example" in holder:
            values.append(holder["example"])
        for value in values:
            yield from (f"the example of {where}: {why}" for why in self.wrong(holder.get("schema", {}), value))

    # ---- of an answer

    def response(self, answer):
        shared = {"default": self.document["components"]["responses"]["Problem"]}
        described = self.paths[answer.template].get(answer.method, {"responses": shared})["responses"]  # of 405
        status = str(answer.status)
        if status in described:
            return status, self.find(described[status])
        return "default", self.find(described["default"])

    def of_answer(self, answer):
        status, response = self.response(answer)
        content = response.get("content", {})
        if status == "default" and answer.status < 400:
            yield f"{answer}: the status is not described"
        if answer.kind not in content and (answer.kind or answer.body):
            yield f"{answer}: the type is not described"
        elif answer.kind.endswith("json") and answer.kind != "application/x-ndjson":
            yield from (f"{answer}: {why}" for why in self.wrong(
                content[answer.kind]["schema"], json.loads(answer.body), "fields" in answer.asked))
        elif answer.kind == "text/plain":
            yield from (f"{answer}: {why}" for why in self.wrong(content[answer.kind]["schema"], answer.body.decode()))
        known = {name: self.find(header) for name, header in response.get("headers", {}).items()}
        yield from (f"{answer}: the header {name} is missing" for name, header in known.items()
                    if header.get("required") and name not in answer.headers)
        for name, value in answer.headers.items():
            if name not in known and name not in GENERAL:
                yield f"{answer}: the header {name} is not described"
            if name in known:
                yield from (f"{answer}: {name}: {why}" for why in self.wrong(known[name]["schema"], of_text(known[name], value)))

    # ---- of all of them

    def unseen(self, answers):
        """What is described, and was in no answer."""
        statuses = {(answer.template, answer.method, self.response(answer)[0]) for answer in answers}
        kinds = {(answer.template, answer.method, self.response(answer)[0], answer.kind) for answer in answers}
        headers = {(answer.template, answer.method, self.response(answer)[0], name)
                   for answer in answers for name in answer.headers}
        asked = {(answer.template, answer.method, name) for answer in answers if answer.status < 400
                 for name in answer.asked}
        for path, method, operation, parameters in self.operations():
            for parameter in parameters:
                if parameter["in"] != "path" and (path, method, parameter["name"]) not in asked:
                    yield f"{method} {path}: nobody asked with {parameter['name']}"
            for status, response in operation["responses"].items():
                response = self.find(response)
                if status == "default":
                    continue
                if (path, method, status) not in statuses:
                    yield f"{method} {path}: never {status}"
                yield from (f"{method} {path}: {status} never as {kind}" for kind in response.get("content", {})
                            if (path, method, status, kind) not in kinds)
                yield from (f"{method} {path}: {status} never with {name}" for name in response.get("headers", {})
                            if (path, method, status, name) not in headers)
        problems = [answer for answer in answers if answer.status >= 400]
        shared = self.document["components"]["responses"]["Problem"]
        yield from (f"no problem has the header {name}" for name in shared["headers"]
                    if not any(name in answer.headers for answer in problems))
        yield from (f"no problem has the type {kind}" for kind in shared["content"]
                    if not any(kind == answer.kind for answer in problems))


def of_text(header, value):
    """The text of a header as what its schema calls it."""
    kind = header["schema"].get("type")
    if kind == "integer" and value.isdigit():
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
