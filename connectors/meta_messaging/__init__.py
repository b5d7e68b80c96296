"""What Messenger and Instagram share: one envelope, one item shape, one set of content tables.

Read in this order: ``envelope`` (a body becomes items), ``events`` (an item becomes events), ``content``
and ``attachments`` (what was said), ``vocabulary`` (the closed tables).
"""

from connectors.meta_messaging.dialect import Dialect
from connectors.meta_messaging.envelope import parse

__all__ = ["Dialect", "parse"]
