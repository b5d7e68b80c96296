"""Finding URLs of given hosts wherever they stand in a text, in whatever disguise, and taking them out.

A text is read in layers (``layers``: as it stands, then decoded once, twice …), each layer is cut into URLs
(``tokens``), each URL is judged by the host that a browser would ask (``suffixes``), and what is found is taken
out of the text as it came (``removal``).
"""

from policies.urls.removal import removable, scrub
from policies.urls.suffixes import Suffixes

__all__ = ["Suffixes", "removable", "scrub"]
