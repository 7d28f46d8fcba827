"""Drives the published Generect SDK, unchanged, on behalf of a test.

Reads one command a line from standard input and writes one result a line to standard output, both
JSON. The SDK is given a transport that counts what goes over the wire; the constructor has an
argument for that, so nothing of the SDK is replaced.
"""

import json
import sys

import generect
import httpx


class Counting(httpx.BaseTransport):
    """Passes everything on, with more headers, and writes down how each request was answered."""

    def __init__(self, headers):
        self.headers = headers
        self.inner = httpx.HTTPTransport()
        self.statuses = []

    def handle_request(self, request):
        request.headers.update(self.headers)
        try:
            response = self.inner.handle_request(request)
        except httpx.TransportError as error:
            self.statuses.append(type(error).__name__)
            raise
        self.statuses.append(response.status_code)
        return response

    def close(self):
        self.inner.close()


def methods(client):
    """Every public method of every part of the client, and those of the client itself."""
    names = ["request"]
    for part, namespace in vars(client).items():
        if part.startswith("_"):
            continue
        for name in dir(namespace):
            if not name.startswith("_") and callable(getattr(namespace, name)):
                names.append(f"{part}.{name}")
    return sorted(names)


def find(client, name):
    target = client
    for step in name.split("."):
        target = getattr(target, step)
    return target


def attempt(client, command):
    method = find(client, command["method"])
    try:
        answer = method(*command.get("args", []), **command.get("kwargs", {}))
    except Exception as error:  # Whatever the SDK raises is what the test wants to know.
        return {
            "raised": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "detail": getattr(error, "detail", str(error)),
            "body": getattr(error, "body", None),
        }
    return {
        "returned": answer,
        # As the SDK's own accessors tell it.
        "amount_charged": answer.amount_charged,
        "job_id": answer.job_id,
    }


def main():
    options = json.loads(sys.stdin.readline())
    transport = Counting(options.pop("headers", {}))
    with generect.Generect(transport=transport, **options) as client:
        print(json.dumps({"methods": methods(client)}), flush=True)
        for line in sys.stdin:
            transport.statuses = []
            result = attempt(client, json.loads(line))
            result["statuses"] = transport.statuses
            print(json.dumps(result), flush=True)


main()
