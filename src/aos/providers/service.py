"""Sending requests to upstreams: one pool of kept-alive connections a process.

No retry here. A connection that breaks before any byte of the answer may still have been served
(docs/decisions/031): only the gateway, with a hold of its own for each attempt, may try again.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import aiohttp
from yarl import URL

from aos.infra.errors import ExternalCallsDisabled, OutboundRefused
from aos.providers.errors import (
    AnswerTooLarge,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from aos.providers.limits import (
    CONNECT_SECONDS_MAX,
    CONNECTIONS_MAX,
    DNS_CACHE_SECONDS,
    HEADER_BYTES_MAX,
    KEEP_ALIVE_SECONDS,
    READ_BUFFER_BYTES,
    URLS_KEPT_MAX,
)
from aos.providers.model import Provider, UpstreamAnswer, UpstreamRequest

# What aiohttp would add by itself; the caller's own headers say all that is to be said.
_NOT_ADDED: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def plain_connector() -> aiohttp.TCPConnector:
    """Connections to wherever DNS points. `app` passes the outbound guard's own instead."""
    return aiohttp.TCPConnector(
        limit=CONNECTIONS_MAX,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        ttl_dns_cache=DNS_CACHE_SECONDS,
    )


class Upstreams:
    """Sends to every provider. Open it inside the running loop, close it at the end."""

    def __init__(
        self,
        *,
        silence_seconds_max: float,
        connector: Callable[[], aiohttp.BaseConnector] = plain_connector,
        connect_seconds_max: float = CONNECT_SECONDS_MAX,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=connect_seconds_max,
            sock_connect=connect_seconds_max,
            sock_read=silence_seconds_max,
        )
        self._connector = connector
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}

    async def open(self) -> "Upstreams":
        self._session = aiohttp.ClientSession(
            connector=self._connector(),
            timeout=self._timeout,
            skip_auto_headers=_NOT_ADDED,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )
        return self

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, provider: Provider, request: UpstreamRequest) -> UpstreamAnswer:
        """The head of the answer, whatever its status.

        Raises UpstreamUnreachable (nothing was spent), UpstreamTimeout, UpstreamBroken.
        """
        local = provider.answer(request)
        if local is not None:
            return local
        assert self._session is not None, "open() first"
        try:
            response = await self._session.request(
                request.method,
                self._url(request.url),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
            )
        except Exception as error:
            raise _named(error, provider, answered=False) from error
        return _NetworkAnswer(response, provider)

    def _url(self, text: str) -> URL:
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) >= URLS_KEPT_MAX:
                self._urls.clear()
            url = self._urls[text] = URL(text, encoded=True)
        return url


class _NetworkAnswer:
    """An answer that arrives over a connection."""

    __slots__ = ("_provider", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, provider: Provider) -> None:
        self._response = response
        self._provider = provider
        self.status = response.status
        self.headers: Sequence[tuple[bytes, bytes]] = response.raw_headers

    async def read(self, bytes_max: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > bytes_max:
                raise AnswerTooLarge(
                    f"{self._provider.config.id} answered with more than {bytes_max:,} bytes."
                )
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        while True:
            try:
                chunk = await content.readany()
            except Exception as error:
                raise _named(error, self._provider, answered=True) from error
            if not chunk:
                return
            yield chunk

    async def close(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _named(error: Exception, provider: Provider, *, answered: bool) -> Exception:
    """The failure by what it may have cost; what is none of these is a bug and stays itself.

    Messages go to callers: no address, no header; the cause is kept for the log.
    """
    name = provider.config.id
    if why := _unreached(error):
        return UpstreamUnreachable(f"{name} cannot be reached{why}.", provider=name)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"{name} fell silent.", provider=name, answered=answered)
    if isinstance(error, aiohttp.ClientError | OSError):
        when = "in the middle of" if answered else "before"
        return UpstreamBroken(
            f"{name} broke the connection {when} its answer.", provider=name, answered=answered
        )
    return error


def _unreached(error: Exception) -> str:
    """Why nothing was sent; empty where something may have been."""
    if isinstance(error, ExternalCallsDisabled):
        return ": DISABLE_EXTERNAL_CALLS is set"
    if isinstance(error, OutboundRefused):
        return ": its address is not one that may be called"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ": unknown host"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f": {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return " in time"
    return ""
