"""The control plane over HTTP. One request at a time: commands wait, so there is no event loop.

`AOS_URL` says where (default http://127.0.0.1:8000), `AOS_KEY` who (default: the admin key that the
first start left in AOS_HOME).
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from aos.cli.errors import CommandFailed, Misused, Unreachable

REQUEST_SECONDS_MAX: Final = 60
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
PAGE_SIZE_MAX: Final = 200
DEFAULT_URL: Final = "http://127.0.0.1:8000"
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


def home() -> Path:
    """AOS_HOME, by default ~/.aos."""
    return Path(os.environ.get("AOS_HOME") or "~/.aos").expanduser()


def gateway_url() -> str:
    return (os.environ.get("AOS_URL") or DEFAULT_URL).rstrip("/")


def find_key() -> str | None:
    """AOS_KEY, else the admin key in AOS_HOME, else None."""
    key = os.environ.get("AOS_KEY", "").strip()
    if key:
        return key
    try:
        return (home() / "admin-key").read_text().strip() or None
    except OSError:
        return None


class Client:
    """Speaks to one gateway with one key."""

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.url = (url or gateway_url()).rstrip("/")
        found = key or find_key()
        if found is None:
            raise Misused(
                "no key: set AOS_KEY, or start `aos serve` on this machine first (it leaves its "
                f"admin key in {home() / 'admin-key'})"
            )
        self.key = found

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at `path`; query values that are None are left out."""
        pairs = {name: value for name, value in query.items() if value is not None}
        return self.send("GET", f"{path}?{urlencode(pairs)}" if pairs else path)

    def items(self, path: str, limit: int, **query: Any) -> Iterator[dict[str, Any]]:
        """Up to `limit` items of a list, following its cursor."""
        cursor: str | None = None
        while limit > 0:
            page = self.get(path, limit=min(limit, PAGE_SIZE_MAX), cursor=cursor, **query)
            yield from page["items"][:limit]
            limit -= len(page["items"])
            cursor = page.get("next_cursor")
            if cursor is None or not page["items"]:
                return

    def find(self, path: str, name_or_id: str, prefix: str) -> dict[str, Any]:
        """The thing with this id or this name. Raises CommandFailed."""
        if name_or_id.startswith(f"{prefix}_"):
            found: dict[str, Any] = self.get(f"{path}/{quote(name_or_id, safe='')}")
            return found
        named = [item for item in self.items(path, 10_000) if item["name"] == name_or_id]
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(item["id"] for item in named)
            raise CommandFailed(f"{name_or_id} is the name of more than one: use an id ({ids})")
        raise CommandFailed(f"nothing is named {name_or_id}")

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """One request. Raises CommandFailed with the gateway's own words, or Unreachable."""
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import ProxyHandler, Request, build_opener

        request = Request(  # noqa: S310 - the address is the user's own setting
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.key}",
                "content-type": "application/json",
                "user-agent": "aos-cli",
            },
        )
        # A proxy for the outside world must not swallow a gateway on this machine.
        direct = [ProxyHandler({})] if urlsplit(self.url).hostname in _LOOPBACK else []
        try:
            with build_opener(*direct).open(request, timeout=REQUEST_SECONDS_MAX) as answer:
                content = answer.read(ANSWER_BYTES_MAX)
        except HTTPError as error:
            raise CommandFailed(_explain(error.code, error.read(ANSWER_BYTES_MAX))) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"no gateway answers at {self.url} ({reason}): start one with `aos serve`, or set "
                "AOS_URL"
            ) from None
        except ValueError:
            raise Misused(f"AOS_URL is not an address: {self.url}") from None
        try:
            return json.loads(content) if content else None
        except ValueError:
            raise CommandFailed(f"{self.url} answered {method} {path} with no JSON") from None


def _explain(status: int, content: bytes) -> str:
    """A problem (RFC 9457) or a dialect's error as one line."""
    try:
        problem = json.loads(content)
    except ValueError:
        return f"the gateway answered with status {status}"
    if isinstance(problem, dict) and isinstance(problem.get("error"), dict):
        problem = problem["error"]
    if not isinstance(problem, dict):
        return f"the gateway answered with status {status}"
    text = problem.get("detail") or problem.get("message") or problem.get("title") or "failed"
    code = problem.get("code")
    return f"{text} ({code})" if code else f"{text} (status {status})"
