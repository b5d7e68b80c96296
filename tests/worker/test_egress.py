"""The one way out: declared hosts, vetted addresses, bounded answers, and no doubt whether anything was written."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import HttpRequest
from tests.worker.loopback import Script, answer, certify, reset, says, serving
from worker.egress.addresses import Network, is_public, vetted
from worker.egress.client import MOST_BYTES, CallFailed, Client, MaybeSent, NotSent, Why

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"),)
HOST = "sms.provider.example"
SECRET = "quite-confidential-4711"
OK = says(200, b"taken")


def request(url: str, **headers: str) -> HttpRequest:
    return HttpRequest(method="POST", url=url, headers=headers, body=SECRET.encode())


def to_loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def client() -> Iterator[Client]:
    """Reaches loopback, under any name."""
    made = Client(LOOPBACK, to_loopback)
    yield made
    made.close()


def failure(call: Callable[[], object]) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        call()
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert HOST not in shown
    return caught.value


# --- addresses -------------------------------------------------------------------------------------------------------------

FORBIDDEN = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.7
192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.9 203.0.113.9 224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 2606:4700::1%eth0 fec0::1 ff02::1 ff0e::1
""".split()
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255 172.32.0.0
192.167.255.255 192.169.0.0 223.255.255.255 2606:4700::1111 2a00:1450:4001::200e 2001:4860:4860::8888 2003::1
""".split()


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert vetted([text], (), only_allowed=False) == []


@pytest.mark.parametrize("text", PUBLIC)
def test_an_ordinary_address_is_public(text: str) -> None:
    assert vetted([text], (), only_allowed=False) == [ip_address(text)]
    assert vetted([text], LOOPBACK, only_allowed=True) == []


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6) | st.sampled_from(FORBIDDEN).map(ip_address))
def test_whatever_the_library_calls_special_is_refused(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    special = (
        not address.is_global
        or address.is_multicast
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or address.is_unspecified
    )
    assert not (special and is_public(address))


@given(st.ip_addresses(v=4).filter(lambda address: not is_public(address)))
def test_no_address_of_version_six_hides_a_special_one_of_version_four(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    hidden = [f"::{inner}", f"::ffff:{inner}", f"::ffff:0:{inner}", f"64:ff9b::{inner}"]
    hidden += [str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))]
    hidden += [str(ipaddress.IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)))]
    assert vetted(hidden, (), only_allowed=False) == []


def test_only_the_operators_list_opens_a_private_range() -> None:
    found = ["10.1.2.3", "10.2.0.1", "nonsense", "127.0.0.1"]
    assert vetted(found, (ip_network("10.1.0.0/16"),), only_allowed=False) == [ip_address("10.1.2.3")]


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "10.0.0.7"])
def test_a_name_that_leads_to_a_special_address_is_not_connected_to(address: str) -> None:
    with serving(OK) as server:
        closed = Client((), lambda _host, _port: [address])
        error = failure(lambda: closed.send(request(f"https://{HOST}:{server.port}/"), {HOST}, 2))
        closed.close()
    assert (type(error), error.why) == (NotSent, Why.ADDRESS)
    assert server.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f000001", "2130706433", "127.1", "localhost"])
def test_no_spelling_of_a_local_address_leads_there(host: str) -> None:
    closed = Client()
    with serving(OK) as server:
        bare = host.strip("[]")
        error = failure(lambda: closed.send(request(f"https://{host}:{server.port}/"), {bare}, 2))
    closed.close()
    assert isinstance(error, NotSent)
    assert server.connections == 0


def test_a_resolver_that_answers_differently_the_second_time_is_not_asked_a_second_time() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    rebound = Client((ip_network("127.0.0.1/32"),), rebinding)
    with serving(OK) as server:
        url = f"http://{HOST}:{server.port}/"
        assert rebound.send(request(url), {HOST}, 2).status == 200
        assert asked == [HOST]
    # On a new connection the new answer is vetted anew.
    with serving(OK, host="127.0.0.2") as other:
        error = failure(lambda: rebound.send(request(f"http://{HOST}:{other.port}/"), {HOST}, 2))
        assert error.why is Why.ADDRESS
        assert other.connections == 0
    rebound.close()


def test_of_several_addresses_the_vetted_ones_are_tried_in_turn() -> None:
    both = (*LOOPBACK, ip_network("::1/128"))
    tried = Client(both, lambda _host, _port: ["10.0.0.1", "::1", "127.0.0.1"])
    with serving(OK) as server:
        assert tried.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 5).body == b"taken"
    tried.close()


# --- what may be called ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://other.example/", Why.NOT_DECLARED),
        (f"https://{HOST}.evil.example/", Why.NOT_DECLARED),
        (f"https://{HOST}./", Why.NOT_DECLARED),
        (f"https://evil.example\\@{HOST}/", Why.MALFORMED),
        (f"https://evil.example#@{HOST}/", Why.NOT_DECLARED),
        (f"https://evil.example?@{HOST}/", Why.NOT_DECLARED),
        (f"https://user@{HOST}/", Why.MALFORMED),
        (f"ftp://{HOST}/", Why.NOT_HTTPS),
        ("file:///etc/passwd", Why.NOT_HTTPS),
        (f"//{HOST}/", Why.NOT_HTTPS),
        ("", Why.NOT_HTTPS),
        (f"https://{HOST}:99999999/", Why.CONNECT),
        (f"https://{HOST}\n/", Why.MALFORMED),
    ],
)
def test_what_is_not_declared_is_not_called(client: Client, url: str, why: Why) -> None:
    error = failure(lambda: client.send(request(url), {HOST}, 2))
    assert (type(error), error.why) == (NotSent, why)


def test_without_tls_only_the_operators_addresses_are_spoken_to() -> None:
    public = Client(LOOPBACK, lambda _host, _port: ["93.184.215.14"])
    error = failure(lambda: public.send(request(f"http://{HOST}/"), {HOST}, 2))
    public.close()
    assert (type(error), error.why) == (NotSent, Why.ADDRESS)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection", "Upgrade"])
def test_the_headers_of_the_connection_are_ours(client: Client, name: str) -> None:
    error = failure(lambda: client.send(request(f"https://{HOST}/", **{name: "other.example"}), {HOST}, 2))
    assert (type(error), error.why) == (NotSent, Why.MALFORMED)


@pytest.mark.parametrize("value", [f"{SECRET}\r\nx: y", f"{SECRET}\n", f"{SECRET}\0"])
def test_a_header_that_would_be_two_is_not_sent(client: Client, value: str) -> None:
    with serving(OK) as server:
        url = f"http://{HOST}:{server.port}/"
        error = failure(lambda: client.send(request(url, authorization=value), {HOST}, 2))
    assert (type(error), error.why) == (NotSent, Why.MALFORMED)
    assert server.requests == []


def test_a_redirect_is_an_answer_and_is_not_followed(client: Client) -> None:
    with serving(OK) as private:
        away = says(307, location=f"http://127.0.0.1:{private.port}/")
        with serving(away) as server:
            got = client.send(request(f"http://{HOST}:{server.port}/"), {HOST, "127.0.0.1"}, 2)
    assert got.status == 307
    assert private.connections == 0


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OK) as proxy, serving(OK) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        fresh = Client(LOOPBACK, to_loopback)
        assert fresh.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 2).status == 200
        fresh.close()
    assert proxy.connections == 0


# --- TLS -------------------------------------------------------------------------------------------------------------------


def secured(authority: Path) -> Client:
    return Client(LOOPBACK, to_loopback, ssl.create_default_context(cafile=authority))


def test_the_vetted_address_is_asked_for_the_host_by_its_name(tmp_path: Path) -> None:
    both, authority = certify(tmp_path, HOST)
    trusting = secured(authority)
    with serving(OK, both) as server:
        url = f"https://{HOST}:{server.port}/send"
        assert trusting.send(request(url), {HOST}, 5).body == b"taken"
        assert server.names == [HOST]
        assert f"host: {HOST}:{server.port}".encode() in server.requests[0].lower()
    trusting.close()


@pytest.mark.parametrize(
    ("names", "valid", "trusted"),
    [
        (["other.example"], True, True),
        (["127.0.0.1"], True, True),
        ([HOST], False, True),
        ([HOST], True, False),
    ],
    ids=["another name", "the address itself", "expired", "an authority that nobody knows"],
)
def test_a_wrong_certificate_gets_nothing(
    tmp_path: Path, names: list[str], *, valid: bool, trusted: bool
) -> None:
    both, authority = certify(tmp_path, *names, valid=valid)
    doubting = secured(authority) if trusted else Client(LOOPBACK, to_loopback)
    with serving(OK, both) as server:
        error = failure(lambda: doubting.send(request(f"https://{HOST}:{server.port}/"), {HOST}, 5))
        assert (type(error), error.why) == (NotSent, Why.CONNECT)
        assert server.requests == []
    doubting.close()


def test_a_server_without_tls_gets_nothing_of_an_https_request(client: Client) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def listen() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 x\r\n\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"https://{HOST}:{listening.getsockname()[1]}/"
        error = failure(lambda: client.send(request(url), {HOST}, 2))
        thread.join(5)
    assert isinstance(error, NotSent)
    assert SECRET.encode() not in heard[0]


# --- sent or not -----------------------------------------------------------------------------------------------------------


def test_where_nobody_listens_nothing_was_sent(client: Client) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        error = failure(lambda: client.send(request(f"http://{HOST}:{port}/"), {HOST}, 2))
    assert (type(error), error.why) == (NotSent, Why.CONNECT)


@pytest.mark.parametrize("raised", [socket.gaierror(-2, HOST), UnicodeError(HOST), OSError(HOST)])
def test_a_name_without_an_address_is_not_sent_to(raised: Exception) -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise raised

    lost = Client(LOOPBACK, unknown)
    error = failure(lambda: lost.send(request(f"http://{HOST}/"), {HOST}, 2))
    lost.close()
    assert (type(error), error.why) == (NotSent, Why.CONNECT)


def test_a_resolution_that_hangs_is_given_up() -> None:
    held = threading.Event()

    def hanging(_host: str, _port: int) -> Sequence[str]:
        held.wait(10)
        return ["127.0.0.1"]

    patient = Client(LOOPBACK, hanging)
    started = time.monotonic()
    error = failure(lambda: patient.send(request(f"http://{HOST}/"), {HOST}, 0.3))
    held.set()
    patient.close()
    assert (type(error), error.why) == (NotSent, Why.TIMEOUT)
    assert time.monotonic() - started < 3


def hangs(seconds: float) -> Script:
    return lambda _connection, _request: time.sleep(seconds)


def drips(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 x\r\nx-slow: ")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def drips_body(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 x\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def chatters(connection: socket.socket, _request: bytes) -> None:
    for _ in range(100):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("script", [hangs(1.5), drips, drips_body, chatters], ids=lambda one: one.__name__)
def test_the_whole_call_has_an_end_however_slowly_the_answer_drips(client: Client, script: Script) -> None:
    with serving(script) as server:
        started = time.monotonic()
        error = failure(lambda: client.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 0.4))
        assert time.monotonic() - started < 1.2
    assert (type(error), error.why) == (MaybeSent, Why.TIMEOUT)


def half_a_success(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 201 x\r\ncontent-length: 9\r\n\r\nab")
    reset(connection)


@pytest.mark.parametrize(
    "script",
    [
        lambda connection, _request: reset(connection),
        lambda connection, _request: connection.close(),
        lambda connection, _request: connection.sendall(b"SMTP hello\r\n\r\n"),
        lambda connection, _request: connection.sendall(b"HTTP/1.1 200 x\r\n" + b"x: y\r\n" * 50_000 + b"\r\n"),
        half_a_success,
        lambda connection, _request: connection.sendall(answer(200, b"not packed", content_encoding="gzip")),
    ],
    ids=["reset", "closed", "no HTTP", "endless head", "half a success", "packed wrongly"],
)  # fmt: skip
def test_once_something_was_written_nobody_says_that_it_was_not(client: Client, script: Script) -> None:
    with serving(script) as server:
        error = failure(lambda: client.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 2))
    assert isinstance(error, MaybeSent)


def test_a_refusal_stands_even_if_its_words_are_lost(client: Client) -> None:
    def half(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 503 x\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\nab")
        reset(connection)

    with serving(half) as server:
        got = client.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 2)
    assert (got.status, got.headers["retry-after"]) == (503, "7")


def test_a_call_that_failed_leaves_the_next_one_of_its_thread_alone(client: Client) -> None:
    with serving(lambda connection, _request: reset(connection)) as server:
        url = f"http://{HOST}:{server.port}/"
        assert isinstance(failure(lambda: client.send(request(url), {HOST}, 2)), MaybeSent)
    assert isinstance(failure(lambda: client.send(request("https://other.example/"), {HOST}, 2)), NotSent)
    assert isinstance(failure(lambda: client.send(request(url), {HOST}, 2)), NotSent)


# --- bounds ----------------------------------------------------------------------------------------------------------------


def test_an_endless_answer_is_cut_off(client: Client) -> None:
    def endless(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(4000):
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with serving(endless) as server:
        got = client.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 10)
    assert len(got.body) == MOST_BYTES


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)]
)
def test_a_packed_answer_is_opened_as_far_as_the_bound(
    client: Client, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(b"\0" * (40 << 20)) if encoding == "gzip" else pack(b"taken")
    with serving(says(200, bomb, content_encoding=encoding)) as server:
        got = client.send(request(f"http://{HOST}:{server.port}/"), {HOST}, 10)
    assert len(got.body) == MOST_BYTES or got.body == b"taken"


def test_every_call_has_a_connection_of_its_own(client: Client) -> None:
    def slow(connection: socket.socket, got: bytes) -> None:
        time.sleep(0.01)
        connection.sendall(answer(200, got.rpartition(b"\r\n\r\n")[2]))

    with serving(slow) as server:
        url = f"http://{HOST}:{server.port}/"
        wrong: list[str] = []

        def many(name: str) -> None:
            for number in range(10):
                sent = HttpRequest(method="POST", url=url, headers={}, body=f"{name} {number}".encode())
                if client.send(sent, {HOST}, 5).body != sent.body:
                    wrong.append(name)

        threads = [threading.Thread(target=many, args=(str(index),)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert wrong == []
    assert len(server.requests) == 80
    assert server.connections == 80


def test_a_second_answer_is_never_taken_for_the_next_calls(client: Client) -> None:
    def twice(connection: socket.socket, got: bytes) -> None:
        body = got.rpartition(b"\r\n\r\n")[2]
        connection.sendall(answer(200, body) + answer(200, b"once more " + body))

    with serving(twice) as server:
        url = f"http://{HOST}:{server.port}/"
        for name in (b"one", b"two", b"three"):
            sent = HttpRequest(method="POST", url=url, headers={}, body=name)
            assert client.send(sent, {HOST}, 5).body == name
        assert all(b"connection: close" in one.lower() for one in server.requests)
