"""A user took the app's authorisation back (``user_event.revoke``, ``oauth.revoke``)."""

from __future__ import annotations

from connectors.x.vocabulary import Why
from connectors.x.wire import Envelope, NotUnderstood, moment, person
from policies.event import AccountAspect, AccountChanged, AccountState, Consent, ConsentChanged, Event
from policies.message import Json

CATEGORY = "app_authorisation"


def revocation(user_id: str | None, app_id: str | None, node: dict[str, Json], envelope: Envelope) -> Event:
    """The account's own revocation ends the authorisation; anybody else's withdraws their consent.

    X names no account in a revocation, and only a subscribed account's revocation is sent: without one, who
    revoked is the account.
    """
    if user_id is None:
        raise NotUnderstood(Why.SENDER)
    at = moment(node, "date_time") or envelope.now
    if envelope.account in ("", user_id):
        return AccountChanged(
            account=user_id,
            aspect=AccountAspect.AUTHORISATION,
            state=AccountState.REVOKED,
            occurred_at=at,
            subject=app_id or "",
        )
    return ConsentChanged(
        account=envelope.account,
        person=person(user_id),
        consent=Consent.WITHDRAWN,
        category=CATEGORY,
        occurred_at=at,
    )
