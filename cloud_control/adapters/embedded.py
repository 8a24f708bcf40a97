"""A broker inside the control plane's own process, for a first try and small fleets.

It speaks the part of MQTT 3.1.1 that the contract uses. Retained messages live in memory: after a
restart agents say anew how they are, and the control plane what it wants.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import Any

from cryptography import x509

from cloud_control.adapters.broker import FIRST_PACKET_SECONDS, BrokerFiles
from cloud_control.adapters.exchange import Exchange
from cloud_control.adapters.grants import grants_of
from cloud_control.adapters.session import Session
from cloud_control.errors import BrokerError, CertificateError

STOP_SECONDS = 10.0
BACKLOG = 2048  # connections that come at once after a restart


class EmbeddedBroker:
    """Serves on a thread of its own, from `start` to `stop`."""

    def __init__(self, files: BrokerFiles, host: str, port: int) -> None:
        self._files = files
        self._host, self._port = host, port
        self._exchange = Exchange()
        self._sessions: set[Session] = set()
        self._revoked: frozenset[int] = frozenset()
        self._loop: asyncio.AbstractEventLoop  # made with the thread, which closes it
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        self._revoked = _revoked(self._files)
        context = _tls(self._files)
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        try:
            self._in_loop(self._listen(context))
        except OSError as problem:
            self.stop()
            raise BrokerError(
                f"The broker cannot listen on {self._host}:{self._port} ({problem.strerror}); "
                "end what uses it or choose another --broker-port."
            ) from None

    def stop(self) -> None:
        if self._thread.is_alive():
            self._in_loop(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def reload(self) -> None:
        """Also ends connections of certificates that are revoked by now."""
        self._revoked = _revoked(self._files)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end_revoked)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda _loop, _context: None)  # failed TLS handshakes
        self._loop.run_forever()
        self._loop.close()

    def _in_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_SECONDS)

    async def _listen(self, context: ssl.SSLContext) -> None:
        self._server = await asyncio.start_server(
            self._serve,
            self._host,
            self._port,
            ssl=context,
            ssl_handshake_timeout=FIRST_PACKET_SECONDS,
            backlog=BACKLOG,
        )

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.end()
        while self._sessions:
            await asyncio.sleep(0.01)

    def _end_revoked(self) -> None:
        for session in tuple(self._sessions):
            if session.serial in self._revoked:
                session.end()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("peercert")
        serial = int(shown["serialNumber"], 16)
        try:
            name = _common_name(shown)
            grants = grants_of(name)
        except CertificateError:
            serial = -1
        if serial < 0 or serial in self._revoked:
            writer.transport.abort()
            return
        session = Session(self._exchange, reader, writer, name, serial, grants)
        self._sessions.add(session)
        try:
            await session.serve()
        finally:
            self._sessions.discard(session)


def _common_name(shown: dict[str, Any]) -> str:
    names = [value for part in shown["subject"] for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def _tls(files: BrokerFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.authority)
        context.load_cert_chain(files.certificate, files.key)
    except OSError as problem:
        raise BrokerError(f"The broker's certificate cannot be used: {problem}.") from None
    return context


def _revoked(files: BrokerFiles) -> frozenset[int]:
    try:
        entries = x509.load_pem_x509_crl(files.revoked.read_bytes())
    except (OSError, ValueError):
        raise BrokerError(
            f"{files.revoked} is missing or damaged; restore it from a backup."
        ) from None
    return frozenset(entry.serial_number for entry in entries)
