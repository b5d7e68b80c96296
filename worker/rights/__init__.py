"""What a person may ask for: a copy of what is kept of them, its correction, its erasure (PP-6, GDPR art. 15 to 17, 20).

From a request to its end: ``request`` and ``multicloud`` read it, ``subject`` finds the person, ``export``, ``rectify`` and
``erase`` do what is asked, ``desk`` takes one step after the other, each durable, so that any worker can go on.
"""
