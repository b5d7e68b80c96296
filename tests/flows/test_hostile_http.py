"""Requests that are none, or never end, or ask for more than they should: against a whole worker over raw sockets.

What each of them gets from the listener alone stands in tests/worker/test_intake.py; here everything is in its place,
deadlines are short, and an honest client wants to be served all the while.
"""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from connectors import sample
from connectors.registry import CONNECTORS, SOCIAL
from worker.conformance.rig import SERVE, Guest, Rig, signed_post
from worker.conformance.search import Search
from worker.tour import samples

MARKER = "narwhal9marker"
SECONDS = {"HEADER": 2, "BODY": 3, "IDLE": 4}
SETTINGS = {**{f"{name}_SECONDS": value for name, value in SECONDS.items()}, "MAX_BYTES_IN_FLIGHT": 8 << 20}
COMMAND = ("/usr/bin/env", *(f"SLUICEGATE_{name}={value}" for name, value in SETTINGS.items()), *SERVE)
OWNED = {name: [f"4400{number}"] for number, name in enumerate(SOCIAL)}


class House:
    """A worker under attack, with an honest tenant that has something to say."""

    def __init__(self, rig: Rig, client: httpx.Client) -> None:
        self.rig, self.client = rig, client
        self.guest = GUEST
        self.answers: list[bytes] = []

    def connect(self, timeout: float = 10) -> socket.socket:
        address = urlsplit(self.rig.url)
        return socket.create_connection((address.hostname, address.port or 0), timeout)

    def ask(self, data: bytes, *, half: bool = False) -> list[int]:
        """The statuses of all answers to these bytes, until the worker closes or the deadline for a header passes."""
        with self.connect() as connection:
            with suppress(OSError):
                connection.sendall(data)
                if half:
                    connection.shutdown(socket.SHUT_WR)
            return self.read(connection)

    def read(self, connection: socket.socket, answers: int = 10**6) -> list[int]:
        """The statuses of so many answers, or of as many as come before the end."""
        received = bytearray()
        with suppress(OSError):
            while len(statuses(received)) < answers and (chunk := connection.recv(65536)):
                received += chunk
        self.answers.append(bytes(received))
        return statuses(received)

    def serves(self) -> bool:
        """Whether an honest delivery is taken, and soon."""
        scene = samples.Scene.fresh(OWNED["facebook"][0])
        started = time.monotonic()
        answer = signed_post(self.client, self.guest, "facebook", samples.text("facebook", scene, "hello"))
        return answer.status_code == 200 and time.monotonic() - started < 5

    @contextmanager
    def honest(self) -> Iterator[list[bool]]:
        """Somebody honest goes on writing meanwhile: whether each was served."""
        served: list[bool] = []
        done = threading.Event()

        def write() -> None:
            while not done.wait(0.05):
                served.append(self.serves())

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield served
        finally:
            done.set()
            thread.join()


GUEST = Guest.fresh("acme", OWNED)


def statuses(received: bytes | bytearray) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One worker for all attacks of this file, alive at the end of each."""
    rig = Rig(tmp_path_factory.mktemp("http"), COMMAND)
    rig.admit(GUEST)
    with rig.running() as client:
        yield House(rig, client)


@pytest.fixture(autouse=True)
def _lives_on(house: House) -> Iterator[None]:
    yield
    assert house.serves()
    # The worker may notice a moment later than we that a connection is gone.
    for _ in range(50):
        page = house.client.get(f"{house.rig.admin_url}/metrics").text
        if "sluicegate_bytes_in_flight 0.0" in page:
            return
        time.sleep(0.1)
    pytest.fail("bytes are held for connections that are gone")


# -- one request -------------------------------------------------------------------------------------------------

BODY = b'{"object":"page","entry":[]}'
HEAD = b"POST /webhooks/acme/facebook HTTP/1.1\r\nhost: h\r\n" + b"".join(
    f"{name}: {value}\r\n".encode()
    for name, value in sample.signed(CONNECTORS["facebook"], BODY, GUEST.secret.encode()).items()
)
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
END = b"connection: close\r\n\r\n"
MARK = MARKER.encode()

CODINGS = ("gzip", "deflate", "br", "identity", "gzip, gzip", MARKER, "")

REQUESTS: dict[str, tuple[bytes, list[int]]] = {
    "a length": (HEAD + LENGTH + END + BODY, [200]),
    "chunks": (HEAD + CHUNKED + END + CHUNKS, [200]),
    "a chunk's extension": (HEAD + CHUNKED + END + CHUNKS.replace(b"\r\n", b";%b=1\r\n" % MARK, 1), [200]),
    "HTTP/1.0": (HEAD.replace(b"/1.1", b"/1.0") + LENGTH + b"\r\n" + BODY, [200]),
    "an absolute target": (HEAD.replace(b" /", b" http://evil.example/") + LENGTH + END + BODY, [200]),
    "a body that is asked for": (HEAD + LENGTH + b"expect: 100-continue\r\n" + END + BODY, [100, 200]),
    "two requests": ((HEAD + LENGTH + b"\r\n" + BODY) * 2 + HEAD + LENGTH + END + BODY, [200] * 3),
    "a smuggled request": (HEAD + b"content-length: 0\r\n\r\n" + HEAD + LENGTH + END + BODY, [401, 200]),
    "no body": (HEAD + END, [401]),
    "both lengths": (HEAD + LENGTH + CHUNKED + END + CHUNKS, [400]),
    "both lengths, the other way": (HEAD + CHUNKED + LENGTH + END + CHUNKS, [400]),
    "two lengths": (HEAD + LENGTH + LENGTH + END + BODY, [400]),
    "a tab before the coding": (HEAD + b"transfer-encoding:\tchunked\r\n" + END + CHUNKS, [200]),
    "a folded header": (HEAD + b"x: y\r\n " + MARK + b"\r\n" + LENGTH + END + BODY, [400]),
    "a folded coding": (HEAD + b"transfer-encoding:\r\n chunked\r\n" + END + CHUNKS, [400]),
    "a bad chunk size": (HEAD + CHUNKED + END + b"%b\r\n" % MARK + CHUNKS, [400]),
    "a huge chunk size": (HEAD + CHUNKED + END + b"f" * 17 + b"\r\n" + BODY, [400]),
    "a chunk that is longer": (HEAD + CHUNKED + END + b"2\r\n" + BODY + b"\r\n0\r\n\r\n", [400]),
    "a field after the body": (HEAD + CHUNKED + END + CHUNKS[:-2] + b"x: %b\r\n\r\n" % MARK, [400]),
    "bare line feeds": ((HEAD + LENGTH + END).replace(b"\r\n", b"\n") + BODY, [400]),
    "HTTP/0.9": (b"GET /%b\r\n\r\n" % MARK, [404]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "HTTP/3.0": (HEAD.replace(b"/1.1", b"/3.0") + END, [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + MARK, [400]),
    "a web socket": (
        b"GET /webhooks/acme/x HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        [400],
    ),
    "an upgrade to HTTP/2": (HEAD + LENGTH + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n" + BODY, [400]),
    "a tunnel": (b"CONNECT %b.example:443 HTTP/1.1\r\nhost: h\r\n\r\n" % MARK, [400]),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\nhost: h\r\n" + END, [404]),
    "a target without a path": (b"GET http://%b.example HTTP/1.1\r\n" % MARK + END, [400]),
    "a user in the target": (b"GET http://u:%b@h/webhooks/acme/x HTTP/1.1\r\n" % MARK + END, [400]),
    "an unknown method": (b"%b /webhooks/acme/x HTTP/1.1\r\n" % MARK.upper() + END, [400]),
    "a header of 100 KB": (HEAD + b"x: " + MARK * 7000 + b"\r\n" + LENGTH + END + BODY, [431]),
    "ten thousand headers": (HEAD + b"x: y\r\n" * 10_000 + LENGTH + END + BODY, [431]),
    "a target of 100 KB": (b"GET /" + MARK * 7000 + b" HTTP/1.1\r\n" + END, [431]),
    "an announced gigabyte": (HEAD + b"content-length: 1073741824\r\n" + END, [413]),
    "a length beyond 64 bits": (HEAD + b"content-length: 1" + b"0" * 30 + b"\r\n" + END, [400]),
    "five megabytes": (HEAD + b"content-length: 5000000\r\n" + END + MARK * 357_143, [413]),
    "five megabytes in chunks": (HEAD + CHUNKED + END + b"10000\r\n%b\r\n" % bytes(65536) * 77 + b"0\r\n\r\n", [413]),
    "tiny chunks": (HEAD + CHUNKED + END + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n", [401]),
    "a hundred requests in advance": (b"GET /%b HTTP/1.1\r\nhost: h\r\n\r\n" % MARK * 100, []),
    **{f"encoded with {c}": (HEAD + b"content-encoding: %b\r\n" % c.encode() + LENGTH + END + BODY, [415]) for c in CODINGS},
    **{f"{m} to a known path": (HEAD.replace(b"POST", m.encode()) + END, [405]) for m in ("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")},
    **{f"{m} to an unknown path": (b"%b /%b HTTP/1.1\r\nhost: h\r\n" % (m.encode(), MARK) + END, [404]) for m in ("POST", "TRACE", "HEAD")},
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_gets_the_answer_that_it_deserves(name: str, house: House) -> None:
    """Whole, broken, smuggled, too large: never a 500, and the connection is closed at once."""
    data, expected = REQUESTS[name]
    started = time.monotonic()
    assert house.ask(data) == expected
    assert time.monotonic() - started < SECONDS["HEADER"]


SENT = HEAD + LENGTH + END + BODY
PATHS = {
    **dict.fromkeys(
        (
            "/", "//", "/webhooks", "/webhooks/", "/webhooks/acme", "/webhooks/acme/", "/webhooks/acme/facebook/",
            "//webhooks/acme/facebook", "/webhooks//acme/facebook", "/webhooks/acme//facebook", "/./webhooks/acme/facebook",
            "/webhooks/../webhooks/acme/facebook", "/webhooks/%2e%2e/webhooks/acme/facebook", "/webhooks/acme%2Ffacebook",
            "/webhooks/acme%252Ffacebook", "/webhooks/acme%5Cfacebook", "/webhooks\\acme\\facebook", "/webhooks/acme/facebook%00",
            "/webhooks/%61cme/facebook", "/webhooks/acme/facebook%20", "/webhooks/acme/facebook;x", "/WEBHOOKS/acme/facebook",
            "/webhooks/ACME/facebook", "/webhooks/acme/Facebook", "/webhooks/acme%00/facebook", "/webhooks/acm%C3%A9/facebook",
            "/webhooks/" + "a" * 5000 + "/facebook", "/webhooks/acme/" + "facebook" * 500, "/webhooks/" + "../" * 500 + "etc/passwd",
            f"/webhooks/{MARKER}/facebook", f"/webhooks/acme/{MARKER}", "/webhooks/acme/facebook/" + MARKER, "/metrics", "/status",
            "/livez", "/readyz", "/data-deletion/acme/" + MARKER, "/data-deletion/../metrics", "/webhooks/acme/x/deauthorize",
            "/webhooks/acme/facebook/data-deletion/", "/webhooks/$(id)/facebook", "/webhooks/'; --/facebook".replace(" ", "+"),
        ),
        404,
    ),
    **dict.fromkeys(("/webhooks/acme\0/facebook", "/webhooks/acm\xe9/facebook", "/webhooks/acme\t/facebook", "webhooks/acme/facebook"), 400),
    f"/webhooks/acme/facebook?{MARKER}={MARKER}&x=../..": 200,
    f"/webhooks/acme/facebook#{MARKER}": 200,
}  # fmt: skip


def test_a_path_is_known_exactly_as_it_is_configured(house: House) -> None:
    """No other spelling of it, whatever a proxy or a file system would make of it; the query plays no part."""
    got = {}
    for path in PATHS:
        target = path.encode("latin-1")
        got[path] = house.ask(SENT.replace(b"/webhooks/acme/facebook", target, 1))
    assert got == {path: [status] for path, status in PATHS.items()}


def test_what_a_query_holds_is_nobodys_business(house: House) -> None:
    """Tokens and challenges stand in the query of a handshake: a wrong one is refused without a word about it."""
    queries = {
        f"hub.mode=subscribe&hub.verify_token={MARKER}&hub.challenge=1": 403,
        f"hub.mode=subscribe&hub.verify_token={GUEST.verify_token}&hub.challenge=<{MARKER}>": 403,
        f"hub.mode={MARKER}&hub.verify_token={GUEST.verify_token}&hub.challenge=1": 403,
        f"hub.verify_token={MARKER}": 400,
        "&".join(f"{MARKER}{number}=1" for number in range(500)): 400,
        "%" * 1000 + MARKER: 400,
        f"hub.mode=subscribe&hub.verify_token=%00%ED%A0%80%FF{MARKER}&hub.challenge=1": 403,
        f"hub.mode=subscribe&hub.verify_token={GUEST.verify_token}&hub.challenge=7": 200,
    }
    got = {
        query: house.ask(b"GET /webhooks/acme/facebook?%b HTTP/1.1\r\nhost: h\r\n" % query.encode() + END)
        for query in queries
    }
    assert got == {query: [status] for query, status in queries.items()}


# -- many requests, slow requests, and such as never end ---------------------------------------------------------


def _drip(first: bytes, drop: bytes = b"") -> Callable[[House], list[int]]:
    """Send something, then a little from time to time until the worker has had enough."""

    def attack(house: House) -> list[int]:
        with house.connect(0.2) as connection:
            connection.sendall(first)
            received = bytearray()
            with suppress(ConnectionError):
                while True:
                    with suppress(TimeoutError):
                        chunk = connection.recv(65536)
                        received += chunk
                        if not chunk:
                            break
                    connection.sendall(drop)
            return statuses(received)

    return attack


SLOW: dict[str, tuple[Callable[[House], list[int]], list[int]]] = {
    "says nothing": (_drip(b""), [408]),
    "drips line ends": (_drip(b"", b"\r\n"), [408]),
    "drips headers": (_drip(HEAD, b"x: %b\r\n" % MARK), [408]),
    "stops in its header": (_drip(HEAD), [408]),
    "drips a body": (_drip(HEAD + b"content-length: 1000\r\n\r\n", b" "), [408]),
    "drips chunks": (_drip(HEAD + CHUNKED + b"\r\n", b"1\r\n \r\n"), [408]),
    "stops in its body": (_drip(HEAD + LENGTH + b"\r\n" + BODY[:9]), [408]),
    "stops before its last chunk": (_drip(HEAD + CHUNKED + b"\r\n" + CHUNKS[:-5]), [408]),
    "drips a second request": (_drip(HEAD + LENGTH + b"\r\n" + BODY + HEAD, b"x: y\r\n"), [200, 408]),
    "drips after its refusal": (_drip(b"POST /x HTTP/1.1\r\ncontent-length: 1000\r\n\r\n", b" "), [404]),
    "idles after an answer": (_drip(HEAD + LENGTH + b"\r\n" + BODY), [200]),
    "waits to be asked on": (_drip(HEAD + LENGTH + b"expect: 100-continue\r\n\r\n"), [100, 408]),
}


def test_slow_senders_hold_up_nobody(house: House) -> None:
    """Each is cut off after the time that it is given, however busy it looks."""
    started = time.monotonic()
    with house.honest() as served, ThreadPoolExecutor(len(SLOW)) as pool:
        given = {name: pool.submit(attack, house) for name, (attack, _) in SLOW.items()}
        got = {name: one.result(30)[: len(SLOW[name][1])] for name, one in given.items()}
    assert got == {name: expected for name, (_, expected) in SLOW.items()}
    assert time.monotonic() - started < 15
    assert len(served) > 3
    assert all(served)


def test_a_crowd_that_says_nothing_holds_up_nobody(house: House) -> None:
    """Three hundred connections, some silent, some in the middle of a header, some announcing megabytes."""
    openings = itertools.cycle((b"", b"POST ", HEAD, HEAD + b"content-length: 4000000\r\n\r\n"))
    with ExitStack() as crowd, house.honest() as served:
        for _, opening in zip(range(300), openings, strict=False):
            crowd.enter_context(closing(house.connect())).sendall(opening)
        time.sleep(0.5)
    assert len(served) > 3
    assert all(served)


def test_hundreds_that_write_at_once_are_all_answered(house: House) -> None:
    """Each connection its own request; none is forgotten."""
    with ExitStack() as crowd:
        connections = [crowd.enter_context(closing(house.connect())) for _ in range(300)]
        for connection in connections:
            connection.sendall(SENT)
        got = [house.read(connection) for connection in connections]
    assert got == [[200]] * 300


FLOODS = {
    "requests in advance": (b"", b"GET /webhooks/nobody/x HTTP/1.1\r\nhost: h\r\n\r\n" * 5000),
    "a trailer": (HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"x: ", MARK * 10_000),
    "a chunk's extension": (HEAD + CHUNKED + b"\r\n1;", MARK * 10_000),
    "a header": (HEAD + b"x: ", MARK * 10_000),
    "a header's name": (HEAD, MARK * 10_000),
    "a body in tiny chunks": (HEAD + CHUNKED + b"\r\n", b"1\r\nx\r\n" * 20_000),
    "an endless body": (HEAD + CHUNKED + b"\r\n", b"10000\r\n" + bytes(65536) + b"\r\n"),
    "a stranger's body": (
        HEAD.replace(b"acme", b"nobody") + CHUNKED + b"\r\n",
        b"10000\r\n" + bytes(65536) + b"\r\n",
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_drowns_nobody(name: str, house: House) -> None:
    """Several connections that send as fast as they can: memory stays, and an honest client is served."""
    first, more = FLOODS[name]
    before = _megabytes(house)
    over = time.monotonic() + 0.7

    def pour() -> None:
        with house.connect(2) as connection, suppress(OSError):
            connection.sendall(first)
            while time.monotonic() < over:
                connection.sendall(more)

    with house.honest() as served:
        threads = [threading.Thread(target=pour) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(served)
    assert _megabytes(house) - before < 60


def test_large_bodies_that_never_end_keep_no_small_one_out(house: House) -> None:
    """All the room that there is for bodies is taken, and nobody's secret was needed for it."""
    # Two of them leave less than an ordinary body takes.
    opening = HEAD + CHUNKED + b"\r\n400000\r\n" + bytes(0x3FFFF0)
    with ExitStack() as crowd, house.honest() as served:
        for _ in range(4):
            connection = crowd.enter_context(closing(house.connect(1)))
            with suppress(OSError):  # the last ones are refused
                connection.sendall(opening)
        time.sleep(0.5)
    assert all(served)


def _megabytes(house: House) -> int:
    resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{house.rig.pid}/status").read_text())
    return int(resident[1]) // 1024 if resident else 0


def test_who_hangs_up_is_no_trouble(house: House) -> None:
    """In the header, in the body, before the answer; gently or with a reset."""
    for data in (b"", HEAD, HEAD + LENGTH + b"\r\n" + BODY[:5], SENT, SENT[:-1] + b"x"):
        for reset in (False, True):
            with house.connect() as connection:
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(data)
    # Who has shut its side gets no answer, and will send again.
    assert house.ask(SENT, half=True) in ([], [200])


# -- the other listener ------------------------------------------------------------------------------------------

ADMIN = {
    b"GET /status HTTP/1.1": 200,
    b"GET /metrics?%b HTTP/1.1" % MARK: 200,
    b"HEAD /livez HTTP/1.1": 200,
    b"GET /readyz HTTP/1.1": 200,
    b"GET /status/ HTTP/1.1": 404,
    b"GET /metrics/ HTTP/1.1": 404,
    b"GET //%b.example/status/ HTTP/1.1" % MARK: 404,
    b"GET http://%b.example/metrics/ HTTP/1.1" % MARK: 404,
    b"GET /metrics/../../../etc/passwd HTTP/1.1": 404,
    b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1": 404,
    b"GET /webhooks/acme/facebook HTTP/1.1": 404,
    b"GET /docs HTTP/1.1": 404,
    b"GET /openapi.json HTTP/1.1": 200,
    b"POST /status HTTP/1.1": 405,
    b"DELETE /metrics HTTP/1.1": 405,
    b"TRACE /status HTTP/1.1": 405,
    b"GET /status HTTP/9.9": 400,
}


def test_the_admin_listener_shows_its_pages_and_nothing_else(house: House) -> None:
    """A hostile Host header leads nowhere: there is no redirect, and nothing that was sent comes back."""
    got = {}
    for line in ADMIN:
        for host in (b"%b.example" % MARK, b'"><script>%b' % MARK, b"%b\t" % MARK, b"127.0.0.1"):
            address = urlsplit(house.rig.admin_url)
            with socket.create_connection((address.hostname, address.port or 0), 10) as connection:
                connection.sendall(
                    line + b"\r\nhost: " + host + b"\r\nx-forwarded-host: " + host + b"\r\n" + END
                )
                got[line, host] = house.read(connection)
    assert {line for (line, _), found in got.items() if found != [ADMIN[line]]} == set()
    assert b"location:" not in b"".join(house.answers).lower()


# -- at the end --------------------------------------------------------------------------------------------------


def test_nothing_that_was_sent_is_shown(house: House) -> None:
    """No line, page or answer repeats a path, a query, a header or a body, nor the secrets; nothing failed."""
    readable = dict(house.rig.pages()) | {
        "answers": b"\n".join(house.answers),
        "log": house.rig.log.read_bytes(),
    }
    search = Search([MARKER, GUEST.secret, GUEST.verify_token])
    assert [(name, hit) for name, data in readable.items() for hit in search.look(data)] == []
    assert b'"line":"fault"' not in readable["log"]
    assert b'"line":"library"' not in readable["log"]
    assert b"500 " not in readable["answers"]
    assert house.rig.errors.read_bytes() == b""
