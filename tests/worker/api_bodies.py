"""Bodies that the programming interface does not take: what is wrong with each, by field and code."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.worker.api_house import PLAIN, SENDER, plain

SURROGATE: Final = "half \ud83d of it"
TEXTS: Final = (
    "sender",
    "recipient",
    "text",
    "submitter",
    "campaign",
    "template",
    "client_reference",
    "time_zone",
    "place",
)
LONGEST: Final = {"sender": 32, "recipient": 32, "text": 1600}
BAD: Final[list[tuple[str, Any, list[tuple[str, str]]]]] = [
    *((f"without {name}", plain(**{name: ...}), [(name, "missing")]) for name in PLAIN),
    *((f"{name} is a number", plain(**{name: 5}), [(name, "wrong_type")]) for name in TEXTS),
    *((f"{name} is a list", plain(**{name: ["x"]}), [(name, "wrong_type")]) for name in TEXTS),
    *((f"{name} is an object", plain(**{name: {"a": 1}}), [(name, "wrong_type")]) for name in TEXTS),
    *((f"{name} is null", plain(**{name: None}), [(name, "wrong_type")]) for name in ("sender", "recipient", "text")),
    *((f"{name} is empty", plain(**{name: ""}), [(name, "empty")]) for name in TEXTS[:7]),
    *((f"{name} is too long", plain(**{name: "x" * (LONGEST.get(name, 128) + 1)}), [(name, "too_long")]) for name in TEXTS),
    *((f"{name} holds a control character", plain(**{name: f"a{character}b"}), [(name, "control_character")]) for name in TEXTS[:7] for character in "\0\x1b\x7f\x85"),
    *((f"{name} is of two lines", plain(**{name: "a\nb"}), [(name, "control_character")]) for name in TEXTS[:7] if name != "text"),
    *((f"{name} begins with a space", plain(**{name: " a"}), [(name, "outer_space")]) for name in TEXTS[:7] if name != "text"),
    *((f"{name} holds half a character", plain(**{name: SURROGATE}), [(name, "lone_surrogate")]) for name in TEXTS),
    ("nothing but spaces", plain(text=" \n\t "), [("text", "empty")]),
    *((f"the recipient {number}", plain(recipient=number), [("recipient", "not_a_number")]) for number in ("2025550143", "+1", "+1202555014x", "00441632960123", "+1 202 555 0143", "+12025550143123456", "tel:+12025550143", "+٤٤٧٧٠٠٩٠٠١٢٣", "nobody@example.com")),
    *((f"the purpose {word!r}", plain(purpose=word), [("purpose", "not_a_choice")]) for word in ("", "spam", "Transactional", "marketing ", 5, None, ["marketing"])),
    *((f"{name} without an offset", plain(**{name: "2099-11-21T08:00:00"}), [(name, "no_offset")]) for name in ("send_after", "do_not_send_after")),
    *((f"{name}: {value!r}", plain(**{name: value}), [(name, "not_a_time")]) for name in ("send_after", "do_not_send_after") for value in ("", "tomorrow", "2099-11-21", "2099-13-21T08:00:00Z", "2099-11-21T25:00:00Z", "2099-11-21T08:00:00+25:00", "2099-W47-6T08:00:00Z", "20991121T080000Z", "٢٠٩٩-11-21T08:00:00Z")),
    *((f"{name} is a number", plain(**{name: 4_000_000_000}), [(name, "wrong_type")]) for name in ("send_after", "do_not_send_after")),
    ("past do-not-send-after", plain(do_not_send_after="2001-01-01T00:00:00Z"), [("do_not_send_after", "too_late")]),
    ("before its send_after", plain(send_after="2099-01-02T00:00:00Z", do_not_send_after="2099-01-02T00:00:00Z"), [("do_not_send_after", "before_send_after")]),
    *((f"the zone {zone!r}", plain(time_zone=zone), [("time_zone", "unknown_zone")]) for zone in ("", "Mars/Base", "../etc/passwd", "america/denver")),
    *((f"the place {place!r}", plain(place=place), [("place", "not_a_place")]) for place in ("", "us", "USA", "US-", "US-COLO", "U\n")),
    ("an unknown field", plain(secret_field_name="x"), [("(unknown)", "unknown_field")]),
    ("two wrong fields", plain(text=5, purpose="spam"), [("text", "wrong_type"), ("purpose", "not_a_choice")]),
    ("nothing", {}, [(name, "missing") for name in PLAIN]),
    ("a list", [PLAIN], [("", "wrong_type")]),
    ("a text", "hello", [("", "wrong_type")]),
    ("null", None, [("", "wrong_type")]),
    ("a number", 5, [("", "wrong_type")]),
    ("messages is an object", {"messages": PLAIN}, [("messages", "wrong_type")]),
    ("messages is null", {"messages": None}, [("messages", "wrong_type")]),
    ("no messages", {"messages": []}, [("messages", "empty")]),
    ("messages and more", {"messages": [PLAIN], "sender": SENDER}, [("(unknown)", "unknown_field")]),
]  # fmt: skip

NOT_JSON: Final = {
    "empty": b"",
    "cut off": b'{"sender": "+1',
    "not UTF-8": b'{"text": "\xff"}',
    "UTF-16": json.dumps(PLAIN).encode("utf-16"),
    "with a byte order mark": b"\xef\xbb\xbf" + json.dumps(PLAIN).encode(),
    "two values": b"{} {}",
    "a NaN": b'{"text": NaN}',
    "infinity": b'{"text": -Infinity}',
    "deep": b"[" * 30_000,
    "deep objects": b'{"a":' * 30_000,
    "a number of ten thousand digits": b'{"text": ' + b"1" * 10_000 + b"}",
    "form": b"sender=%2B12025550123&text=hello",
}
