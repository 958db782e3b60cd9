"""Run by the validator's own Python: keep the JSON-LD context that it needs in its cache, so that it needs no network.

Arguments: the cache's path. The context comes from the package `rocrate` beside the validator, which ships it.
"""

import io
import sys
from importlib import resources

import requests
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


class Shelf(BaseAdapter):
    """Answers every request with the context."""

    def send(self, request, **_options):  # type: ignore[no-untyped-def]
        body = resources.files("rocrate").joinpath("data", "ro-crate.jsonld").read_bytes()
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = HTTPResponse(io.BytesIO(body), status=200, preload_content=False, headers=answer.headers)
        return answer

    def close(self) -> None:
        """Nothing is open."""


session = CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
session.mount("https://", Shelf())
headers = {"Accept": "application/ld+json, application/json, */*;q=0.1"}
session.get(CONTEXT, headers=headers, allow_redirects=True)
session.get(CONTEXT)
print("cached:", session.cache.contains(url=CONTEXT))
