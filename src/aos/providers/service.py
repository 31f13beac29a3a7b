"""Sending requests to upstreams: one pool of kept-alive connections a process.

No retry here. A connection that breaks before any byte of the answer may still have been served
(docs/decisions/031): only the gateway, with a hold of its own for each attempt, may try again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import aiohttp
from yarl import URL

from aos.kit.errors import AosError
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
    STREAM_END_SECONDS_MAX,
    URLS_KEPT_MAX,
)
from aos.providers.model import Provider, UpstreamAnswer, UpstreamRequest

# What aiohttp would add by itself; the caller's own headers say all that is to be said.
_NOT_ADDED: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Upstreams:
    """Sends to every provider. Open it inside the running loop, close it at the end.

    `connector` is called with TCPConnector's settings; `app` passes the outbound guard's.
    """

    def __init__(
        self,
        *,
        silence_seconds_max: float,
        connector: Callable[..., aiohttp.BaseConnector] = aiohttp.TCPConnector,
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
        self._ending: set[asyncio.Task[None]] = set()

    async def open(self) -> "Upstreams":
        self._session = aiohttp.ClientSession(
            connector=self._connector(
                limit=CONNECTIONS_MAX,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                ttl_dns_cache=DNS_CACHE_SECONDS,
            ),
            timeout=self._timeout,
            skip_auto_headers=_NOT_ADDED,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )
        return self

    async def close(self) -> None:
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, provider: Provider, request: UpstreamRequest) -> UpstreamAnswer:
        """The head of the answer, whatever its status.

        Raises UpstreamUnreachable and the outbound guard's OutboundRefused (nothing was spent),
        UpstreamTimeout, UpstreamBroken.
        """
        local = provider.answer(request)
        if local is not None:
            return local
        assert self._session is not None, "open() first"
        try:
            response = await self._session.request(
                request.method,
                self._url(provider, request.url),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _named(error, provider, answered=False) from error
        return _NetworkAnswer(response, provider, self._ending)

    def _url(self, provider: Provider, text: str) -> URL:
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) >= URLS_KEPT_MAX:
                self._urls.clear()
            url = self._urls[text] = _checked_url(provider, text)
        return url


def _checked_url(provider: Provider, text: str) -> URL:
    """Raises UpstreamUnreachable for what leads nowhere: aiohttp has no one name for these."""
    try:
        url = URL(text, encoded=True)
        if url.port is not None and (url.host or "").encode("idna"):
            return url
    except ValueError:  # Of the port, or of the host's name: a UnicodeError is one.
        pass
    name = provider.config.id
    raise UpstreamUnreachable(f"{name} cannot be reached: its address is not a URL.", provider=name)


class _NetworkAnswer:
    """An answer that arrives over a connection."""

    __slots__ = ("_ending", "_provider", "_response", "headers", "status")

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        provider: Provider,
        ending: "set[asyncio.Task[None]]",
    ) -> None:
        self._response = response
        self._provider = provider
        self._ending = ending
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
            except (aiohttp.ClientError, OSError) as error:
                raise _named(error, self._provider, answered=True) from error
            if not chunk:
                return
            yield chunk

    async def close(self, *, ended: bool = False) -> None:
        if self._response.content.at_eof():
            self._response.release()
        elif ended:
            task = asyncio.create_task(_await_end(self._response))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        else:
            self._response.close()


async def _await_end(response: aiohttp.ClientResponse) -> None:
    """Nothing but the end is expected; anything else, or nothing in time, cuts the connection."""
    try:
        async with asyncio.timeout(STREAM_END_SECONDS_MAX):
            if await response.content.readany():
                response.close()
    except (aiohttp.ClientError, OSError):  # OSError: TimeoutError is one.
        response.close()
    except asyncio.CancelledError:
        response.close()
        raise


def _named(error: aiohttp.ClientError | OSError, provider: Provider, *, answered: bool) -> AosError:
    """The failure by what it may have cost.

    Messages go to callers: no address, no header; the cause is kept for the log.
    """
    name = provider.config.id
    reason = _unreached(error)
    if reason is not None:
        return UpstreamUnreachable(f"{name} cannot be reached: {reason}.", provider=name)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"{name} fell silent.", provider=name, answered=answered)
    when = "in the middle of" if answered else "before"
    return UpstreamBroken(
        f"{name} broke the connection {when} its answer.", provider=name, answered=answered
    )


def _unreached(error: aiohttp.ClientError | OSError) -> str | None:
    """Why there was no connection to write to; None where there was one."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unknown host"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or type(error.os_error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(error, aiohttp.InvalidURL):
        return "its address is not a URL"
    return None
