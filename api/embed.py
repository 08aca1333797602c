#!/usr/bin/env python3
"""Writes openapi.yaml as a C array of JSON: embed.py INPUT.yaml VERSION OUTPUT.c"""
import json
import sys

import yaml


class Loader(yaml.SafeLoader):
    """Dates stay the text that they are in JSON."""


Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)


def main(source, version, output):
    with open(source, encoding="utf-8") as stream:
        document = yaml.load(stream, Loader)
    document["info"]["version"] = version
    data = (json.dumps(document, separators=(",", ":")) + "\n").encode("ascii")
    with open(output, "w", encoding="ascii") as stream:
        stream.write('#include "openapi.h"\n\nconst char openapi_json[] = {\n')
        for i in range(0, len(data), 16):
            stream.write("\t" + "".join(f"{byte}, " for byte in data[i : i + 16]).rstrip() + "\n")
        stream.write("\t0,\n};\nconst size_t openapi_json_length = sizeof openapi_json - 1;\n")


main(*sys.argv[1:])
