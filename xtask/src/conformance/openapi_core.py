"""Judges requests by openapi-core: a JSON file with `document` and `requests` in, one line of verdict for each out."""

import json
import sys
from urllib.parse import parse_qsl, unquote

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest
from werkzeug.datastructures import ImmutableMultiDict


def without_servers_and_security(document):
    """Where requests go and who sends them is judged elsewhere."""
    document.pop("security", None)
    document["servers"] = [{"url": "http://test.example"}]
    for item in document.get("paths", {}).values():
        item.pop("servers", None)
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("servers", None)
                operation.pop("security", None)
    return document


def verdict(api, request):
    path, _, query = request["target"].partition("?")
    fields = {name: value for name, value in request["fields"]}
    cookies = {}
    for pair in fields.pop("Cookie", "").split("; "):
        name, _, value = pair.partition("=")
        if name:
            cookies[name] = value
    body = request["body"]
    made = MockRequest(
        "http://test.example",
        request["method"].lower(),
        unquote(path),
        args=ImmutableMultiDict(parse_qsl(query, keep_blank_values=True)),
        headers=fields,
        cookies=cookies,
        data=body.encode() if body is not None else None,
        content_type=request["content_type"] or "",
    )
    try:
        api.validate_request(made)
    except Exception as error:
        cause = error.__cause__
        inner = getattr(cause, "schema_errors", None)
        detail = ""
        if inner:
            first = next(iter(inner), None)
            detail = ":" + str(getattr(first, "validator", ""))
        elif cause is not None:
            detail = ":" + type(cause).__name__
        return type(error).__name__ + detail
    return "valid"


def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    with open(given["document"]) as file:
        text = file.read()
    try:
        document = json.loads(text)
    except ValueError:
        document = yaml.safe_load(text)
    try:
        api = OpenAPI.from_dict(without_servers_and_security(document), config=Config(spec_validator_cls=None))
    except Exception as error:
        print("!" + type(error).__name__)
        return
    for request in given["requests"]:
        print(verdict(api, request), flush=True)


main()
