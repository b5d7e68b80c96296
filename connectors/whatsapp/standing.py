"""What the platform decides about the business: its account, its numbers, its templates (SM-2).

Every word of the platform is looked up; one that no table knows leaves the state ``unknown``, for a person to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connectors import wild
from connectors.whatsapp.items import word
from policies.event import AccountAspect, AccountChanged, AccountState
from policies.message import Instant, Json

Value = dict[str, Json]
Verdict = tuple[AccountState, str]
"""The state, and a word of ours for what happened."""

Reader = Callable[[Value], tuple[AccountAspect, Verdict, Json]]
"""Which part of the standing changed, how, and the platform's id of it."""

_UNKNOWN: Final[Verdict] = (AccountState.UNKNOWN, "unknown")


def changed(account: str, field: str, value: Value, occurred_at: Instant) -> AccountChanged:
    """The change that ``field`` (a key of FIELDS) reports in ``value``."""
    aspect, (state, detail), subject = FIELDS[field](value)
    return AccountChanged(
        account=account,
        aspect=aspect,
        state=state,
        occurred_at=occurred_at,
        subject=wild.numeric(subject) or "",
        detail=detail,
    )


def _account(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    event = word(value.get("event"))
    partner = wild.mapping(value.get("waba_info")).get("waba_id")
    if event == "DISABLED_UPDATE":
        ban = word(wild.mapping(value.get("ban_info")).get("waba_ban_state"))
        # A ban of an unknown kind is a ban.
        return AccountAspect.ACCOUNT, _BANS.get(ban, (AccountState.SUSPENDED, "disabled")), partner
    if event in _PARTNERSHIP:
        return AccountAspect.AUTHORISATION, _PARTNERSHIP[event], partner
    if event in _NUMBERS:
        return AccountAspect.PHONE_NUMBER, _NUMBERS[event], value.get("phone_number")
    return AccountAspect.ACCOUNT, _ACCOUNT.get(event, _UNKNOWN), partner


def _review(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    return AccountAspect.ACCOUNT, _REVIEWS.get(word(value.get("decision")), _UNKNOWN), None


def _alert(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    """The alert stands in ``alert_info``, or (older) on the value itself."""
    alert = wild.mapping(value.get("alert_info")) or value
    aspect = _ENTITIES.get(word(value.get("entity_type")), AccountAspect.ACCOUNT)
    return aspect, _ALERTS.get(word(alert.get("alert_type")), _UNKNOWN), value.get("entity_id")


def _quality(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    event = word(value.get("event"))
    return AccountAspect.PHONE_NUMBER, _QUALITIES.get(event, _UNKNOWN), value.get("display_phone_number")


def _name(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    decision = word(value.get("decision"))
    return AccountAspect.PHONE_NUMBER, _NAMES.get(decision, _UNKNOWN), value.get("display_phone_number")


def _template(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    event = word(value.get("event"))
    return AccountAspect.TEMPLATE, _TEMPLATES.get(event, _UNKNOWN), value.get("message_template_id")


def _template_quality(value: Value) -> tuple[AccountAspect, Verdict, Json]:
    score = word(value.get("new_quality_score"))
    return AccountAspect.TEMPLATE, _SCORES.get(score, _UNKNOWN), value.get("message_template_id")


def _informs(aspect: AccountAspect, detail: str) -> Reader:
    """A notice that changes nothing by itself, whatever it says."""
    return lambda value: (aspect, (AccountState.INFORMED, detail), value.get("message_template_id"))


def _table(state: AccountState, names: str) -> dict[str, Verdict]:
    return {name: (state, name.lower()) for name in names.split()}


_ACCOUNT: Final = {
    **_table(AccountState.ACTIVE, "ACCOUNT_RECONNECTED"),
    **_table(AccountState.RESTRICTED, "ACCOUNT_RESTRICTION ACCOUNT_VIOLATION"),
    **_table(AccountState.SUSPENDED, "ACCOUNT_OFFBOARDED"),
    **_table(AccountState.REVOKED, "ACCOUNT_DELETED"),
    **_table(
        AccountState.INFORMED,
        """AD_ACCOUNT_LINKED AUTH_INTL_PRICE_ELIGIBILITY_UPDATE BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE
        MM_LITE_TERMS_SIGNED PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE VOLUME_BASED_PRICING_TIER_UPDATE""",
    ),
}
_BANS: Final = {
    "REINSTATE": (AccountState.ACTIVE, "disabled_reinstated"),
    "SCHEDULE_FOR_DISABLE": (AccountState.RESTRICTED, "disabled_scheduled"),
    "DISABLE": (AccountState.SUSPENDED, "disabled"),
}
_PARTNERSHIP: Final = {
    **_table(AccountState.ACTIVE, "PARTNER_ADDED PARTNER_APP_INSTALLED"),
    **_table(AccountState.REVOKED, "PARTNER_REMOVED PARTNER_APP_UNINSTALLED"),
}
_NUMBERS: Final = _table(AccountState.INFORMED, "VERIFIED_ACCOUNT PHONE_NUMBER_ADDED PHONE_NUMBER_REMOVED")
_REVIEWS: Final = {
    "APPROVED": (AccountState.ACTIVE, "review_approved"),
    "PENDING": (AccountState.UNREVIEWED, "review_pending"),
    "DEFERRED": (AccountState.UNREVIEWED, "review_deferred"),
    "REJECTED": (AccountState.REVOKED, "review_rejected"),
}
_ENTITIES: Final = {"PHONE_NUMBER": AccountAspect.PHONE_NUMBER}
_ALERTS: Final = _table(
    AccountState.INFORMED,
    """INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED INCREASED_CAPABILITIES_ELIGIBILITY_FAILED
    INCREASED_CAPABILITIES_ELIGIBILITY_NEED_MORE_INFO OBA_APPROVED OBA_REJECTED PROFILE_PICTURE_LOST""",
)
_QUALITIES: Final = {
    **_table(AccountState.ACTIVE, "UNFLAGGED"),
    **_table(AccountState.RESTRICTED, "FLAGGED"),
    **_table(AccountState.INFORMED, "ONBOARDING UPGRADE DOWNGRADE THROUGHPUT_UPGRADE"),
}
# A display name's review says nothing about whether the number may send.
_NAMES: Final = {
    decision: (AccountState.INFORMED, f"name_{decision.lower()}")
    for decision in ("APPROVED", "DECLINED", "DEFERRED", "PENDING", "REJECTED", "EXPIRED", "NONE")
}
_TEMPLATES: Final = {
    **_table(AccountState.ACTIVE, "APPROVED REINSTATED UNARCHIVED UNLOCKED"),
    **_table(AccountState.UNREVIEWED, "PENDING IN_APPEAL"),
    **_table(AccountState.RESTRICTED, "FLAGGED LIMIT_EXCEEDED LOCKED"),
    **_table(AccountState.SUSPENDED, "PAUSED DISABLED ARCHIVED"),
    **_table(AccountState.REVOKED, "REJECTED DELETED PENDING_DELETION"),
}
_SCORES: Final = {
    score: (AccountState.INFORMED, f"quality_{score.lower()}")
    for score in ("GREEN", "YELLOW", "RED", "UNKNOWN")
}

FIELDS: Final[Mapping[str, Reader]] = {
    "account_update": _account,
    "account_review_update": _review,
    "account_alerts": _alert,
    "phone_number_quality_update": _quality,
    "phone_number_name_update": _name,
    "message_template_status_update": _template,
    "message_template_quality_update": _template_quality,
    "message_template_components_update": _informs(AccountAspect.TEMPLATE, "components_changed"),
    "template_category_update": _informs(AccountAspect.TEMPLATE, "category_changed"),
    "template_correct_category_detection": _informs(AccountAspect.TEMPLATE, "category_doubted"),
    "business_capability_update": _informs(AccountAspect.ACCOUNT, "capability_changed"),
}
