"""What outbound texts leave behind: answers, decided reviews, finished rows, counts. Gone by fixed ages.

Nothing of it is content: what was said stands in the transcript, and goes by its own ceiling.
"""

from __future__ import annotations

from policies.message import Instant
from policies.sms.policy import SmsPolicy
from worker.retention.means import BATCH, Means
from worker.sms.forgetting import Purge, due


def purge(means: Means, tenant: str, policy: SmsPolicy) -> int:
    """Forget what is old; how many rows. Also for tenants that are not in service."""
    return sum(_purged(means, tenant, one, before) for one, before in due(policy, means.clock()))


def _purged(means: Means, tenant: str, one: Purge, before: Instant) -> int:
    return means.until_done(lambda tx: one(tx, tenant, before, BATCH))
