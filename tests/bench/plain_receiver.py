"""The receiver that most people write first: FastAPI, one SQLModel session, one commit per request.

It is an honest comparison: it verifies the signature over the exact bytes, parses the JSON,
inserts one row under a unique message id, commits durably (fsync), and only then answers 200. It
keeps the text as it came; it has no rules, no encryption, no decision records and no log of its
own. Its endpoint is synchronous, as the frameworks' own tutorials write it.

Run by uvicorn: `uvicorn tests.bench.plain_receiver:app`, settings in BENCH_DATABASE_URL and
BENCH_SECRET.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, create_engine

SECRET = os.environ.get("BENCH_SECRET", "").encode()
DATABASE_URL = os.environ.get("BENCH_DATABASE_URL", "sqlite://")


class ReceivedMessage(SQLModel, table=True):
    """One message as it came."""

    __tablename__ = "received_message"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(unique=True, index=True)
    account: str
    sender: str
    text: str
    received_at: datetime


def open_engine(url: str) -> Engine:
    """The engine with its default pool; SQLite in WAL mode with a full sync, as careful people set it."""
    if not url.startswith("sqlite"):
        return create_engine(url)
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30})
    event.listen(engine, "connect", _careful_sqlite)
    return engine


def _careful_sqlite(connection: Any, _record: object) -> None:
    """Set what a durable SQLite needs on every new connection."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


engine = open_engine(DATABASE_URL)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Make the table at the start."""
    SQLModel.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


def session() -> Iterator[Session]:
    """One session per request."""
    with Session(engine) as opened:
        yield opened


async def raw_body(request: Request) -> bytes:
    """The exact bytes, for the signature."""
    return await request.body()


@app.post("/webhooks/{tenant}/{connector}")
def receive(
    connector: str,
    body: Annotated[bytes, Depends(raw_body)],
    database: Annotated[Session, Depends(session)],
    x_hub_signature_256: Annotated[str, Header()] = "",
) -> dict[str, str]:
    """Verify, parse, store, commit, answer."""
    expected = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), x_hub_signature_256.encode()):
        raise HTTPException(status_code=401, detail="bad signature")
    for message in READERS[connector](json.loads(body)):
        database.add(message)
        _commit_unless_seen(database)
    return {"status": "received"}


def _commit_unless_seen(database: Session) -> None:
    """Commit; a message that is already there is a duplicate and no fault."""
    try:
        database.commit()
    except IntegrityError:
        database.rollback()


def instagram_messages(payload: Any) -> Iterator[ReceivedMessage]:
    """The messages of an Instagram body."""
    for entry in payload["entry"]:
        for item in entry["messaging"]:
            yield ReceivedMessage(
                message_id=item["message"]["mid"],
                account=entry["id"],
                sender=item["sender"]["id"],
                text=item["message"]["text"],
                received_at=datetime.now(UTC),
            )


def whatsapp_messages(payload: Any) -> Iterator[ReceivedMessage]:
    """The messages of a WhatsApp body."""
    for entry in payload["entry"]:
        for change in entry["changes"]:
            for item in change["value"]["messages"]:
                yield ReceivedMessage(
                    message_id=item["id"],
                    account=change["value"]["metadata"]["phone_number_id"],
                    sender=item["from"],
                    text=item["text"]["body"],
                    received_at=datetime.now(UTC),
                )


READERS = {"instagram": instagram_messages, "whatsapp": whatsapp_messages}
