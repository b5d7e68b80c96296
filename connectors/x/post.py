"""Public posts: Account Activity's statuses (v1.1) and X Activity's posts (v2), read into one form.

**Which id is canonical.** Every edit of a post makes a new id, and a post carries the ids of all its versions
(``edit_history_tweet_ids``; ``edit_history.edit_tweet_ids`` in v1.1). The *first*, which is the smallest, is
``Message.id`` of every version; all others are aliases in ``also_known_as``. The version's position in the chain is
the edit number; the original is number 0 and arrives as MessageReceived.

Deleting any version deletes the chain, and X names the version: ``MessageUnsent.message_id`` may be canonical or an
alias. The store has to resolve it through ``also_known_as`` in both orders: an alias may be deleted before the
message that carries it has come.

Where a post says where it was written, that is left out: X obliges to remove it later on request (scrub_geo).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from connectors import wild
from connectors.x.media import media
from connectors.x.vocabulary import Note, Why
from connectors.x.wire import (
    Envelope,
    NotUnderstood,
    moment,
    person,
    platform_id,
    platform_ids,
    profile,
)
from connectors.x.wording import Links
from policies.event import Event, MessageEdited, MessageReceived, MessageUnsent, Noted
from policies.message import (
    Channel,
    Content,
    Direction,
    Instant,
    Json,
    Media,
    MediaKind,
    Message,
    MessageKind,
    Private,
)

_MAX_VERSIONS: Final = 64
"""X allows five edits; a longer chain than this is not one."""


class Post(Private, frozen=True, kw_only=True):
    """What both forms of a post say. ``mentions`` is None where the post came without entities."""

    id: str
    author: str
    versions: tuple[str, ...]
    occurred_at: Instant
    text: str | None
    media: tuple[Media, ...]
    links: tuple[str, ...]
    mentions: frozenset[str] | None
    replied_id: str | None
    replied_user: str | None
    quoted_id: str | None
    quoted_user: str | None
    thread: str | None
    users: Mapping[str, Mapping[str, Json]]


def status(node: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    """A ``tweet_create_events`` item. X sends the account's own and what mentions, answers or quotes it."""
    if not envelope.account:
        raise NotUnderstood(Why.ACCOUNT)
    if "retweeted_status" in node:
        return (Noted(account=envelope.account, what=Note.REPOST.value),)
    post = _from_status(node, envelope)
    if post.author != envelope.account and not _addresses(post, envelope.account):
        return (Noted(account=envelope.account, what=Note.UNADDRESSED_POST.value),)
    return (_event(post, envelope.account),)


def post(node: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    """The payload of post.create, post.mention.create, post.reply.create or post.quote.create.

    The event type says that the post addresses the account; ``post.create`` is the account's own.
    """
    if not envelope.account:
        raise NotUnderstood(Why.ACCOUNT)
    if any(reference.get("type") == "retweeted" for reference in wild.objects(node.get("referenced_tweets"))):
        return (Noted(account=envelope.account, what=Note.REPOST.value),)
    return (_event(_from_post(node, envelope), envelope.account),)


def status_deletion(node: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    """A ``tweet_delete_events`` item: ``status.id``, ``status.user_id``, ``timestamp_ms``."""
    gone = wild.mapping(node.get("status"))
    return (_unsent(gone, platform_id(gone, "user_id"), moment(node, "timestamp_ms"), envelope),)


def post_deletion(node: dict[str, Json], envelope: Envelope) -> Iterable[Event]:
    """The payload of post.delete: ``id`` and ``author_id``, no time."""
    return (_unsent(node, platform_id(node, "author_id"), None, envelope),)


def _unsent(
    node: dict[str, Json], author: str | None, at: Instant | None, envelope: Envelope
) -> MessageUnsent:
    post_id = platform_id(node, "id")
    account = envelope.account or author
    if post_id is None:
        raise NotUnderstood(Why.MESSAGE_ID)
    if account is None:
        raise NotUnderstood(Why.ACCOUNT)
    return MessageUnsent(
        account=account,
        message_id=post_id,
        occurred_at=at or envelope.now,
        person=person(author) if author and author != account else (),
    )


def _addresses(post: Post, account: str) -> bool:
    if post.mentions is None:  # no entities, no evidence: that X delivered it has to do
        return True
    return account in post.mentions or account in (post.replied_user, post.quoted_user)


def _event(post: Post, account: str) -> Event:
    first, *others = post.versions
    own = post.author == account
    other = post.replied_user or account if own else post.author
    message = Message(
        channel=Channel.X,
        account=account,
        id=first,
        direction=Direction.OUTBOUND if own else Direction.INBOUND,
        kind=MessageKind.POST,
        person=person(other),
        occurred_at=post.occurred_at,
        content=_content(post, {} if other == account else profile(post.users.get(other, {}))),
        reply_to=post.replied_id or post.quoted_id,
        thread=post.thread,
        also_known_as=tuple(others),
    )
    if edit_number := post.versions.index(post.id):
        return MessageEdited(account=account, message=message, edit_number=edit_number, whole=True)
    return MessageReceived(account=account, message=message)


def _content(post: Post, name: dict[str, str]) -> Content:
    found = {"links": list(post.links), "quoted_id": post.quoted_id}
    details = {key: value for key, value in found.items() if value}
    return Content(text=post.text, media=post.media, details=details, profile=name)


def _from_status(node: dict[str, Json], envelope: Envelope) -> Post:
    post_id, user = platform_id(node, "id"), wild.mapping(node.get("user"))
    long = wild.mapping(node.get("extended_tweet"))
    history = wild.mapping(node.get("edit_history"))
    versions = _versions(post_id, history.get("edit_tweet_ids"), [history.get("initial_tweet_id")])
    nodes = list(_status_media(long)) or list(_status_media(node))
    parts = tuple(part for part in (long.get("entities"), node.get("entities")) if isinstance(part, dict))
    links = Links(parts[:1], nodes, versions)  # those of a truncated text add only a link to the post itself
    quoted = wild.mapping(node.get("quoted_status"))
    author = _required(platform_id(user, "id"), Why.SENDER)
    replied_user = platform_id(node, "in_reply_to_user_id")
    return Post(
        id=_required(post_id, Why.MESSAGE_ID),
        author=author,
        versions=versions,
        occurred_at=moment(node, "timestamp_ms", "created_at") or envelope.now,
        text=links.wording(_first_text(long.get("full_text"), node.get("full_text"), node.get("text"))),
        media=tuple(map(media, nodes)),
        links=tuple(links.all()),
        mentions=_mentioned(parts, "user_mentions"),
        replied_id=platform_id(node, "in_reply_to_status_id"),
        replied_user=replied_user,
        quoted_id=platform_id(node, "quoted_status_id") or platform_id(quoted, "id"),
        quoted_user=platform_id(wild.mapping(quoted.get("user")), "id"),
        thread=None,
        users={replied_user or "": {"screen_name": node.get("in_reply_to_screen_name")}, author: user},
    )


def _status_media(node: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """``extended_entities`` lists every picture of a status, ``entities`` only the first."""
    full = wild.mapping(node.get("extended_entities")).get("media")
    return wild.objects(full or wild.mapping(node.get("entities")).get("media"))


def _from_post(node: dict[str, Json], envelope: Envelope) -> Post:
    post_id, long = platform_id(node, "id"), wild.mapping(node.get("note_tweet"))
    versions = _versions(post_id, node.get("edit_history_tweet_ids"))
    keys = [key for key in _media_keys(node) if isinstance(key, str)]
    parts = tuple(part for part in (long.get("entities"), node.get("entities")) if isinstance(part, dict))
    links = Links(parts, (), versions if keys else ())
    return Post(
        id=_required(post_id, Why.MESSAGE_ID),
        author=_required(platform_id(node, "author_id"), Why.SENDER),
        versions=versions,
        occurred_at=moment(node, "created_at") or envelope.now,
        text=links.wording(_first_text(long.get("text"), node.get("text"))),
        media=tuple(_expanded(key, envelope) for key in dict.fromkeys(keys)),
        links=tuple(links.all()),
        mentions=None,
        replied_id=_reference(node, "replied_to") or platform_id(node, "in_reply_to_tweet_id"),
        replied_user=platform_id(node, "in_reply_to_user_id"),
        quoted_id=_reference(node, "quoted"),
        quoted_user=None,
        thread=platform_id(node, "conversation_id"),
        users=envelope.users,
    )


def _reference(node: dict[str, Json], kind: str) -> str | None:
    found = (ref for ref in wild.objects(node.get("referenced_tweets")) if ref.get("type") == kind)
    return platform_id(next(found, {}), "id")


def _media_keys(node: dict[str, Json]) -> list[Json]:
    keys = wild.mapping(node.get("attachments")).get("media_keys")
    return keys if isinstance(keys, list) else [keys]


def _expanded(key: str, envelope: Envelope) -> Media:
    node = envelope.media.get(key)
    return media(node) if node is not None else Media(kind=MediaKind.UNKNOWN, id=key)


def _versions(post_id: str | None, *histories: Json) -> tuple[str, ...]:
    """The ids of all versions, oldest first: ids grow with time."""
    found = set(chain.from_iterable(platform_ids(history) for history in histories))
    if post_id is not None:
        found.add(post_id)
    if len(found) > _MAX_VERSIONS:
        raise NotUnderstood(Why.EDIT_CHAIN)
    return tuple(sorted(found, key=int))


def _mentioned(parts: tuple[dict[str, Json], ...], key: str) -> frozenset[str] | None:
    if not parts:
        return None
    ids = (platform_id(mention, "id") for part in parts for mention in wild.objects(part.get(key)))
    return frozenset(user_id for user_id in ids if user_id)


def _required(value: str | None, why: Why) -> str:
    if value is None:
        raise NotUnderstood(why)
    return value


def _first_text(*candidates: Json) -> str | None:
    return next((text for text in map(wild.text, candidates) if text is not None), None)
