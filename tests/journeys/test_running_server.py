"""`assay up` as a process: bounded bodies, a graceful end, one owner of the data."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

import support_commands
from journey_support import RunningAssay, data_folder, running_assay, start_assay

EVENT = {"kind": "event", "name": "order", "unit": "u", "at": "2026-11-01T00:00:00Z"}
GIGABYTE = 1_000_000_000


@pytest.fixture(scope="module")
def assay() -> Iterator[RunningAssay]:
    with data_folder() as data, running_assay(data) as running:
        yield running


def _resident_bytes(assay: RunningAssay) -> int:
    return psutil.Process(assay.pid).memory_info().rss


def _connect(assay: RunningAssay) -> socket.socket:
    address = urlsplit(assay.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b"x" * 65_536


def test_a_gigabyte_is_refused_from_its_announcement(assay: RunningAssay) -> None:
    with _connect(assay) as connection:
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {GIGABYTE}\r\n\r\n"
        connection.sendall(head.encode())
        answer = connection.recv(65_536)

    assert b" 413 " in answer.splitlines()[0]


def test_a_gigabyte_without_announcement_is_cut_off_early(assay: RunningAssay) -> None:
    before = _resident_bytes(assay)
    sent = 0
    with _connect(assay) as connection:
        connection.sendall(
            b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for chunk in _chunks(GIGABYTE):
                connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass

    assert sent < GIGABYTE / 10
    assert _resident_bytes(assay) - before < 100_000_000
    assert httpx2.get(f"{assay.url}/health").status_code == 200


def test_a_second_start_on_the_same_data_says_who_holds_it() -> None:
    with data_folder() as data, running_assay(data) as first:
        second = support_commands.assay("up", "--data", data, "--port", "0")

    assert second.returncode == 1
    assert str(first.pid) in second.stderr
    assert first.url in second.stderr


def test_sigterm_finishes_what_is_under_way_and_leaves_nothing_running() -> None:
    with data_folder() as data:
        assay = start_assay(data)
        database = next(c for c in psutil.Process(assay.pid).children() if c.name() == "postgres")
        answers: list[int] = []
        sending = threading.Thread(target=lambda: answers.append(_send_slowly(assay)))
        sending.start()
        time.sleep(0.5)
        code = assay.stop()
        sending.join()
        again = start_assay(data)
        repeated = httpx2.post(f"{again.url}/api/v1/events", json=[EVENT]).json()["repeated"]
        again.stop()

    assert code == 0
    assert answers == [202]
    assert not database.is_running() or database.status() == psutil.STATUS_ZOMBIE
    assert repeated == 1


def _send_slowly(assay: RunningAssay) -> int:
    body = json.dumps([EVENT]).encode()
    with _connect(assay) as connection:
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:10])
        time.sleep(1.5)
        connection.sendall(body[10:])
        return int(connection.recv(65_536).split()[1])


def test_everything_it_keeps_stays_in_its_folder() -> None:
    with data_folder() as data:
        start_assay(data).stop()
        kept = {path.name for path in data.parent.iterdir() if not path.name.endswith(".log")}

    assert kept == {data.name}
