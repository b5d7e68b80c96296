"""Every shape, by name."""

from __future__ import annotations

from typing import Final

from tests.flows.canaries import facebook, identifiers, instagram, refused, taken_back, whatsapp, x
from tests.flows.canaries.mint import Shape

SHAPES: Final[dict[str, Shape]] = {
    shape.__name__: shape
    for room in (instagram, facebook, whatsapp, x, identifiers, taken_back, refused)
    for shape in room.SHAPES
}
