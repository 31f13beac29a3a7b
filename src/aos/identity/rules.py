"""Pure decisions about headers, secrets and terms. Headers are raw ASGI pairs, names lower case."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from aos.identity.errors import (
    AgentMismatch,
    InvalidExpiry,
    InvalidLabel,
    TenantMismatch,
    TenantRequired,
)
from aos.identity.limits import (
    LABEL_LENGTH_MAX,
    SECRET_LETTERS,
    TAG_NAME_LENGTH_MAX,
    TAG_VALUE_LENGTH_MAX,
    TAGS_HEADER_BYTES_MAX,
    TAGS_MAX,
)
from aos.identity.model import Caller, KeyTerms
from aos.messages import Labels

Headers = Iterable[tuple[bytes, bytes]]

SECRET_PREFIX: Final = "aos_sk_"  # noqa: S105 - what every secret starts with, not one
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHOWN_LENGTH: Final = 12

_RANK: Final = {b"x-aos-key": 0, b"x-api-key": 1, b"authorization": 2}
_AGENT: Final = b"x-aos-agent"
_RUN: Final = b"x-aos-run"
_WORKFLOW: Final = b"x-aos-workflow"
_TAGS: Final = b"x-aos-tags"
_SESSIONS: Final = (b"x-claude-code-session-id", b"session-id", b"session_id")
_LABELS: Final = frozenset((_AGENT, _RUN, _WORKFLOW, _TAGS, *_SESSIONS))


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """`aos_sk_` and 256 random bits as letters and digits. Pass `secrets.token_bytes`."""
    number = int.from_bytes(random_bytes(32), "big")
    letters = []
    for _ in range(SECRET_LETTERS):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return SECRET_PREFIX + "".join(letters)


def digest_of(secret: str) -> bytes:
    """What is stored of a secret. A fast hash will do: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def shown_prefix(secret: str) -> str:
    """The letters of a secret that may be shown: never more than a third of it."""
    return secret[: min(_SHOWN_LENGTH, len(secret) // 3)]


def key_from_headers(headers: Headers) -> str | None:
    """The secret that the request carries.

    `X-AOS-Key` beats `x-api-key` beats `Authorization: Bearer`; of a header sent twice the first
    counts, an empty one not at all.
    """
    found: str | None = None
    best = len(_RANK)
    for name, value in headers:
        rank = _RANK.get(name)
        if rank is None or rank >= best:
            continue
        text = value.decode("latin-1").strip()
        if name == b"authorization":
            scheme, _, text = text.partition(" ")
            text = text.strip() if scheme.lower() == "bearer" else ""
        if text:
            best, found = rank, text
    return found


def check_tenant(caller: Caller, headers: Headers, *, required: bool) -> None:
    """Raises TenantMismatch, and TenantRequired where the header is `required`."""
    named = next((value for name, value in headers if name == b"x-tenant-id"), b"").strip()
    if not named:
        if required:
            raise TenantRequired("send X-Tenant-Id: this server runs with ENFORCE_TENANCY")
    elif named != caller.tenant_id.encode():
        raise TenantMismatch("X-Tenant-Id is not the tenant of this key; leave it out or mend it")


def labels_from_headers(caller: Caller, headers: Headers) -> Labels:
    """How this call is labelled. The key's own agent and tags win.

    Whether an agent of this id exists is for `Authenticator.agent` to say.
    Raises AgentMismatch, InvalidLabel.
    """
    sent = {name: value for name, value in headers if name in _LABELS}
    if not sent:
        return Labels(agent_id=caller.agent_id, tags=caller.tags)
    agent = _label(sent, _AGENT)
    if agent is not None and caller.agent_id not in (None, agent):
        raise AgentMismatch(
            f"this key is bound to agent {caller.agent_id} and cannot charge {agent}",
            agent_id=caller.agent_id,
        )
    tags = caller.tags
    if _TAGS in sent:
        tags = {**tags_from_text(_text(sent[_TAGS], "X-AOS-Tags")), **caller.tags}
    return Labels(
        agent_id=caller.agent_id or agent,
        run_id=_label(sent, _RUN),
        workflow=_label(sent, _WORKFLOW),
        session_id=_session(sent),
        tags=tags,
    )


def tags_from_text(text: str) -> dict[str, str]:
    """`k=v,k=v` as a dict. Raises InvalidLabel."""
    if len(text) > TAGS_HEADER_BYTES_MAX:
        raise InvalidLabel(f"X-AOS-Tags is longer than {TAGS_HEADER_BYTES_MAX} bytes")
    tags: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InvalidLabel("X-AOS-Tags wants k=v,k=v")
        tags[name] = value
    check_tags(tags)
    return tags


def check_tags(tags: dict[str, str]) -> None:
    """Raises InvalidLabel for too many tags, or one that is empty, too long or unprintable."""
    if len(tags) > TAGS_MAX:
        raise InvalidLabel(f"more than {TAGS_MAX} tags")
    for name, value in tags.items():
        if not 0 < len(name) <= TAG_NAME_LENGTH_MAX or len(value) > TAG_VALUE_LENGTH_MAX:
            raise InvalidLabel(
                f"a tag's name has 1 to {TAG_NAME_LENGTH_MAX} characters, "
                f"its value up to {TAG_VALUE_LENGTH_MAX}"
            )
        if not (name.isprintable() and value.isprintable()):
            raise InvalidLabel("a tag holds a character that cannot be printed")


def check_terms(terms: KeyTerms, now: datetime) -> None:
    """What no door can see alone. Raises InvalidExpiry, InvalidLabel."""
    check_tags(terms.tags)
    if terms.expires_at is not None and terms.expires_at <= now:
        raise InvalidExpiry("expires_at is in the past; to end a key, revoke it")


def _label(sent: dict[bytes, bytes], name: bytes) -> str | None:
    value = sent.get(name)
    if value is None:
        return None
    shown = name.decode()
    text = _text(value, shown)
    if len(text) > LABEL_LENGTH_MAX:
        raise InvalidLabel(f"{shown} is longer than {LABEL_LENGTH_MAX} characters")
    return text or None


def _session(sent: dict[bytes, bytes]) -> str | None:
    """The first that is there, cut to size: clients choose these, their users cannot mend them."""
    for name in _SESSIONS:
        text = sent.get(name, b"").decode("utf-8", "replace").strip()
        if text and text.isprintable():
            return text[:LABEL_LENGTH_MAX]
    return None


def _text(value: bytes, shown: str) -> str:
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise InvalidLabel(f"{shown} is not UTF-8") from None
    if not text.isprintable():
        raise InvalidLabel(f"{shown} holds a character that cannot be printed")
    return text
