import secrets
from datetime import UTC, datetime, timedelta

import pytest

from aos.identity import (
    AgentMismatch,
    Caller,
    InvalidLabel,
    KeyTerms,
    Scope,
    TenantMismatch,
    TenantRequired,
    check_tenant,
    key_from_headers,
    labels_from_headers,
)
from aos.identity.errors import InvalidExpiry
from aos.identity.rules import check_terms, digest_of, new_secret, shown_prefix

CALLER = Caller(tenant_id="ten_1", key_id="key_1", scopes=frozenset({Scope.INVOKE}))
BOUND = Caller(
    tenant_id="ten_1",
    key_id="key_1",
    scopes=frozenset({Scope.INVOKE}),
    agent_id="agt_1",
    user_id="usr_1",
    tags={"team": "red"},
)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([(b"host", b"x")], None),
        ([(b"authorization", b"Bearer one")], "one"),
        ([(b"authorization", b"bearer   one ")], "one"),
        ([(b"authorization", b"Basic one")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"authorization", b"Bearer one"), (b"x-api-key", b"two")], "two"),
        ([(b"x-aos-key", b"three"), (b"x-api-key", b"two"), (b"authorization", b"B 1")], "three"),
        ([(b"x-aos-key", b" "), (b"x-api-key", b"two")], "two"),
        ([(b"x-api-key", b"first"), (b"x-api-key", b"second")], "first"),
    ],
)  # fmt: skip
def test_which_header_carries_the_key(headers: list[tuple[bytes, bytes]], key: str | None) -> None:
    assert key_from_headers(headers) == key
    assert (
        key_from_headers(reversed(headers) if len({n for n, _ in headers}) > 1 else headers) == key
    )


def test_a_secret_has_256_bits_and_is_all_letters() -> None:
    secret = new_secret(secrets.token_bytes)
    assert secret.startswith("aos_sk_")
    assert len(secret) == 50
    assert secret[7:].isalnum()
    assert secret != new_secret(secrets.token_bytes)
    # Nothing of the randomness is lost: 62 letters to the 43rd exceed 256 bits.
    assert 62**43 > 2**256
    assert new_secret(bytes) == "aos_sk_" + "0" * 43
    assert len(digest_of(secret)) == 32


@pytest.mark.parametrize("secret", ["aos_sk_" + "x" * 43, "hunter22", "short"])
def test_what_is_shown_of_a_secret_is_at_most_a_third(secret: str) -> None:
    assert secret.startswith(shown_prefix(secret))
    assert len(shown_prefix(secret)) * 3 <= len(secret)


def test_the_tenant_header_may_only_repeat_what_the_key_says() -> None:
    check_tenant(CALLER, [], required=False)
    check_tenant(CALLER, [(b"x-tenant-id", b"ten_1")], required=True)
    with pytest.raises(TenantRequired):
        check_tenant(CALLER, [(b"x-tenant-id", b" ")], required=True)
    with pytest.raises(TenantMismatch) as caught:
        check_tenant(CALLER, [(b"x-tenant-id", b"ten_2")], required=False)
    assert caught.value.status == 403


def test_labels_come_from_headers() -> None:
    labels = labels_from_headers(
        CALLER,
        [
            (b"x-aos-agent", b"agt_9"),
            (b"x-aos-run", b"run_1"),
            (b"x-aos-workflow", "Übersicht".encode()),
            (b"x-aos-tags", b"a=1, b = two words ,,c="),
            (b"session-id", b"s-2"),
            (b"x-claude-code-session-id", b"s-1"),
        ],
    )
    assert labels.agent_id == "agt_9"
    assert labels.run_id == "run_1"
    assert labels.workflow == "Übersicht"
    assert labels.session_id == "s-1"
    assert labels.tags == {"a": "1", "b": "two words", "c": ""}


def test_a_keys_own_agent_and_tags_win() -> None:
    assert labels_from_headers(BOUND, []).agent_id == "agt_1"
    assert labels_from_headers(BOUND, []).tags == {"team": "red"}
    labels = labels_from_headers(
        BOUND, [(b"x-aos-tags", b"team=blue,step=2"), (b"x-aos-agent", b"agt_1")]
    )
    assert labels.tags == {"team": "red", "step": "2"}
    assert BOUND.tags == {"team": "red"}
    with pytest.raises(AgentMismatch) as caught:
        labels_from_headers(BOUND, [(b"x-aos-agent", b"agt_2")])
    assert caught.value.status == 403
    assert "agt_1" in caught.value.message


def test_gap_001_no_header_says_who_the_user_is() -> None:
    """GAP-001: the user came from the client. Now only the key knows."""
    sent = [(b"x-user-id", b"usr_2"), (b"x-aos-user", b"usr_2"), (b"user-id", b"usr_2")]
    labels = labels_from_headers(BOUND, sent)
    assert "usr_2" not in repr(labels)
    assert BOUND.user_id == "usr_1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-aos-agent", b"a" * 201),
        (b"x-aos-run", b"a\x07b"),
        (b"x-aos-workflow", b"\xff\xfe"),
        (b"x-aos-tags", b"no-equals-sign"),
        (b"x-aos-tags", b"=value"),
        (b"x-aos-tags", b"a=" + b"v" * 257),
        (b"x-aos-tags", b"a" * 65 + b"=v"),
        (b"x-aos-tags", b",".join(b"t%d=1" % n for n in range(33))),
        (b"x-aos-tags", b"a=1," * 1025),
    ],
)
def test_labels_are_bounded(name: bytes, value: bytes) -> None:
    with pytest.raises(InvalidLabel):
        labels_from_headers(CALLER, [(name, value)])


def test_a_session_label_that_a_client_chose_is_cut_never_refused() -> None:
    long = labels_from_headers(CALLER, [(b"session_id", b"s" * 500)])
    assert long.session_id == "s" * 200
    assert labels_from_headers(CALLER, [(b"session_id", b"\x01")]).session_id is None


def test_a_key_cannot_be_made_to_expire_in_the_past() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    check_terms(KeyTerms("k", expires_at=now + timedelta(seconds=1)), now)
    with pytest.raises(InvalidExpiry):
        check_terms(KeyTerms("k", expires_at=now), now)
