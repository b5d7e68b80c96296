"""The composition root: the only place that builds things, in the order in which they need each other."""

from __future__ import annotations

import gc
import math
import os
import queue
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from types import FrameType
from typing import Any

from connectors.contract import SignedRequest
from connectors.registry import CONNECTORS
from policies.message import Instant
from worker.admin import Views, admin_app
from worker.api.app import Api
from worker.api.calls import Services
from worker.egress.client import Client
from worker.errors import Unavailable
from worker.inbound import Committed
from worker.intake.admission import Route, examine
from worker.intake.app import Found, Intake, Limits, Listeners
from worker.intake.protocol import Guard, GuardedConfig
from worker.intake.replies import STATUS
from worker.jobs import Schedule
from worker.jobs.table import RELOAD, Means, standing_jobs
from worker.jobs.turns import Turns
from worker.ledger import Ledger
from worker.log import bridge as log_bridge
from worker.log.lines import Level, LifecycleLine, Phase, Place, Refusal
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.observe import Observer
from worker.opening import Opened, SingleProcess, open_all, prepare_data_directory
from worker.reconcile.handing import Hand, answering
from worker.reconcile.run import Tools
from worker.rights.opening import tools_of
from worker.settings import SECRET_PREFIX, Settings
from worker.sms.calls import Calls
from worker.sms.delivery import Delivery
from worker.sms.outbound import Outbound
from worker.sms.reports import Reports
from worker.status import StoreProbe, disk, journal_status, tenants_status, version, versions
from worker.store.callbacks import find_callback, record_callback
from worker.store.checkpoint import Checkpointer
from worker.tenants.loading import Tenants, TenantsInForce, TenantSource
from worker.tenants.secrets import Secrets

_ADMIN_CONNECTIONS = 100
_ALLOCATIONS_BEFORE_COLLECTION = 50_000
_LAST_SECONDS = 3.0
_LOOK_SECONDS = 1.0
_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})


def wall_clock() -> Instant:
    """Now."""
    return time.time_ns() // 1000


class Runtime:
    """A worker. ``start``, then ``stop``; or ``run``, which lives until a signal ends it."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        clock: Callable[[], Instant] = wall_clock,
        show: Callable[[bytes], None] = lambda _shown: None,
    ) -> None:
        """Build everything and listen, but serve nobody yet. Raises ConfigurationError or Unavailable.

        ``show`` is given, as JSON, what the console connector would send.
        """
        self.settings = settings
        self.log = log
        self.metrics = Metrics(version())
        self.observer = Observer(log, self.metrics, clock)
        self._show = show
        self._draining = False
        with ExitStack() as resources:
            self._build(resources, clock)
            self._resources = resources.pop_all()

    def _build(self, resources: ExitStack, clock: Callable[[], Instant]) -> None:
        settings = self.settings
        prepare_data_directory(settings)
        self.opened = open_all(settings, migrate=settings.migrate_on_start)
        resources.callback(self.opened.close)
        resources.callback(SingleProcess(self.opened.store).release)
        self.checkpointer = Checkpointer(self.opened.store)
        self.intake = self._intake(clock)
        self._client = Client(settings.egress_networks)
        resources.callback(self._client.close)
        self.delivery = self._delivery()
        self.ledger = self._ledger(clock)
        self.intake.submit = self.ledger.submit
        self.tenants = TenantsInForce(tenant_source(settings), self._tenants_changed)
        self.api = self._api(clock)
        resources.callback(self.api.close)
        self._probe = StoreProbe(self.opened.store)
        resources.callback(self._probe.close)
        self._watch()
        self._sockets = tuple(
            resources.enter_context(_bound(host, port))
            for host, port in (
                (settings.webhook_host, settings.webhook_listen_port),
                (settings.admin_host, settings.admin_listen_port),
            )
        )
        self.listeners = self._listeners()
        self.schedule = Schedule(standing_jobs(self._means(clock)), self.observer, Turns(self.opened.store))

    @property
    def webhook_port(self) -> int:
        """Where the public listener listens."""
        return int(self._sockets[0].getsockname()[1])

    @property
    def admin_port(self) -> int:
        """Where the admin listener listens."""
        return int(self._sockets[1].getsockname()[1])

    def start(self) -> None:
        """Load the tenants and serve."""
        self.tenants.reload(forced=True)
        self.checkpointer.start()
        self.ledger.start()
        self.delivery.start()
        self.schedule.start()
        self.listeners.start()
        self._say(Phase.READY)

    def drain(self) -> bool:
        """Take nothing new, finish what is in flight. Whether all of it was finished in time."""
        self._draining = True
        self._say(Phase.DRAINING)
        deadline = time.monotonic() + self.settings.drain_seconds
        self.schedule.stop()
        self.delivery.cease()
        answered = self.listeners.drain(self.settings.drain_seconds)
        sent = self.delivery.stop(max(deadline - time.monotonic(), _LOOK_SECONDS))
        return self.ledger.stop(max(deadline - time.monotonic(), _LOOK_SECONDS)) and answered and sent

    def stop(self) -> bool:
        """Drain, then end. Whether everything that had been taken was finished."""
        drained = self.drain()
        self.listeners.stop(_LAST_SECONDS)
        self.checkpointer.stop()
        self.close()
        self._say(Phase.STOPPED)
        return drained

    def close(self) -> None:
        """Let go of files, sockets and connections."""
        self._resources.close()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, reload on SIGHUP; the exit code. A second signal ends at once."""
        signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in (*_STOPPING, signal.SIGHUP):
            signal.signal(number, partial(_on_signal, signals))
        self.start()
        _quieten_collector()
        while self.alive:
            with suppress(queue.Empty):
                if signals.get(timeout=_LOOK_SECONDS) in _STOPPING:
                    return 0 if self.stop() else 1
                self._reload_now()
        # A thread that everything depends on has ended: whoever supervises us starts us again.
        self.stop()
        return 1

    @property
    def alive(self) -> bool:
        """Whether the threads run that everything depends on."""
        return self.ledger.alive and self.listeners.alive and self.delivery.alive

    def ready(self) -> Mapping[str, bool]:
        """What this process needs to serve."""
        return {
            "configuration": self.tenants.loaded,
            "writer": self.ledger.alive,
            "not_draining": not self._draining,
        }

    def status(self) -> Mapping[str, Any]:
        """What the admin listener shows."""
        tenants = self.tenants.current
        alarms = self.schedule.alarms()
        return {
            "state": "red" if alarms else "green",
            "alarms": alarms,
            "versions": versions(),
            "ready": self.ready(),
            "store": self._probe.ask(),
            "standing": self._probe.standings(),
            "disk": disk(self.settings.data_dir),
            "journal": journal_status(self.settings.journal_file),
            "queue": {
                "deliveries": self.ledger.depth,
                "oldest_seconds": round(self.intake.oldest_seconds, 3),
                "bytes_in_flight": self.intake.bytes_in_flight,
            },
            "sending": self.delivery.status(),
            "jobs": self.schedule.status(),
            "log_lines_dropped": sum(self.log.lost.values()),
            "tenants": tenants_status(tenants, self.observer),
            "problems": [str(problem) for problem in tenants.problems],
        }

    # -- building ----------------------------------------------------------------------------------------

    def _intake(self, clock: Callable[[], Instant]) -> Intake:
        settings = self.settings
        limits = Limits(
            body_bytes=settings.max_body_bytes,
            bytes_in_flight=settings.max_bytes_in_flight,
            answer_seconds=settings.answer_seconds,
            retry_after_seconds=settings.retry_after_seconds,
        )
        callbacks = StoredCallbacks(self.opened)
        return Intake(CONNECTORS, limits, self.observer, callbacks, clock, settings.external_url)

    def _ledger(self, clock: Callable[[], Instant]) -> Ledger:
        return Ledger(
            self.opened.store,
            self.opened.keyring,
            answers=answering(self.intake.answers),
            committed=self._committed,
            failed=self.observer.failed,
            examine=partial(examine, report=partial(self.observer.fault, Place.INTAKE)),
            between_batches=self.checkpointer.between_batches,
            clock=clock,
            capacity=self.settings.queue_size,
        )

    def _delivery(self) -> Delivery:
        settings = self.settings
        return Delivery(
            self.opened.store,
            self.opened.keyring,
            Calls(self._client, settings.send_seconds, self._show),
            Reports(self.log, self.metrics, self.observer),
            lambda: self.tenants.current,
            threads=settings.send_threads,
            unknown_seconds=settings.unknown_seconds,
        )

    def _api(self, clock: Callable[[], Instant]) -> Api:
        store, keyring = self.opened.store, self.opened.keyring
        outbound = Outbound(store, keyring, clock, self._committed)
        return Api(
            Services(
                store=store,
                keyring=keyring,
                outbound=outbound,
                rights=tools_of(self.opened, self.settings, clock),
                committed=self._committed,
            ),
            tenants=lambda: self.tenants.current,
            in_service=lambda: not self._draining,
            observer=self.observer,
            retry_after_seconds=self.settings.retry_after_seconds,
        )

    def _means(self, clock: Callable[[], Instant]) -> Means:
        return Means(
            opened=self.opened,
            settings=self.settings,
            log=self.log,
            metrics=self.metrics,
            observer=self.observer,
            clock=clock,
            reload=self.tenants.reload,
            tenants=lambda: self.tenants.current,
            asking=Tools(
                store=self.opened.store,
                keyring=self.opened.keyring,
                carrier=self._client,
                hand=Hand(self.ledger.submit, clock),
                clock=clock,
                seconds=self.settings.send_seconds,
            ),
        )

    def _listeners(self) -> Listeners:
        webhooks, admin = self._sockets
        views = Views(metrics=self.metrics.page, ready=self.ready, status=self.status)
        return Listeners(
            self.intake,
            (self._config(self.intake, self.settings.max_connections), webhooks),
            (self._config(admin_app(views, self.api.routes), _ADMIN_CONNECTIONS), admin),
            partial(log_bridge.install_on_loop, self.log),
        )

    def _config(self, app: Any, connections: int) -> GuardedConfig:
        settings = self.settings
        guard = Guard(
            max_connections=connections,
            max_header_bytes=settings.max_header_bytes,
            header_seconds=settings.header_seconds,
            request_seconds=settings.body_seconds,
            refused=self._turned_away,
        )
        return GuardedConfig(
            app, guard, idle_seconds=settings.idle_seconds, drain_seconds=settings.drain_seconds
        )

    def _watch(self) -> None:
        probe = self.metrics.probe
        probe(
            "queue_deliveries",
            "Deliveries waiting for the writer or being written",
            lambda: self.ledger.depth,
        )
        probe(
            "queue_oldest_seconds",
            "Age of the oldest unanswered delivery",
            lambda: self.intake.oldest_seconds,
        )
        probe("bytes_in_flight", "Bytes of bodies held", lambda: self.intake.bytes_in_flight)
        probe("disk_free_bytes", "Free on the disk of the data directory", lambda: self._disk("free_bytes"))
        probe("disk_total_bytes", "Size of that disk", lambda: self._disk("total_bytes"))
        probe("ready", "1 when this process takes deliveries", lambda: all(self.ready().values()))
        self.metrics.watch_log(lambda: self.log.lost)

    def _disk(self, which: str) -> float:
        return disk(self.settings.data_dir).get(which, math.nan)

    # -- what happens ------------------------------------------------------------------------------------

    def _committed(self, batch: Sequence[Committed]) -> None:
        self.observer.committed(batch)
        self.delivery.heard(batch)

    def _tenants_changed(self, tenants: Tenants) -> None:
        self.intake.serve(tenants)
        self.delivery.configured(tenants)
        self.observer.tenants(tenants)
        self._say(Phase.TENANTS_LOADED)

    def _reload_now(self) -> None:
        try:
            self.tenants.reload(forced=True)
        except Exception as error:  # noqa: BLE001 - what is in force stays, and the worker goes on
            self.observer.job_failed(RELOAD, error)

    def _turned_away(self, refusal: Refusal) -> None:
        self.observer.refused(refusal, STATUS[refusal])

    def _say(self, phase: Phase) -> None:
        tenants = self.tenants.current
        out_of_service = len(tenants.refused) + sum(len(v.out_of_service) for v in tenants.versions.values())
        line = LifecycleLine(
            level=Level.WARNING if tenants.problems and phase is Phase.TENANTS_LOADED else Level.INFO,
            phase=phase,
            version=version(),
            tenants=len(tenants.versions),
            out_of_service=out_of_service,
            pending=self.ledger.depth,
            listening=[_address(listening) for listening in self._sockets] if phase is Phase.READY else [],
        )
        self.log.emit(line)


class StoredCallbacks:
    """Deauthorise and data-deletion callbacks in the store."""

    def __init__(self, opened: Opened) -> None:
        self._store, self._keyring = opened.store, opened.keyring

    def record(self, route: Route, signed: SignedRequest, now: Instant) -> str:
        """Record durably; the code of the status page."""
        return record_callback(
            self._store,
            self._keyring,
            tenant=route.tenant_id,
            connector=route.connector,
            kind=str(route.kind),
            user_id=signed.user_id,
            issued_at=signed.issued_at,
            now=now,
        )

    def find(self, tenant: str, code: str) -> Found | None:
        """What is known of a code."""
        row = find_callback(self._store, tenant, code)
        return None if row is None else Found(status=row.status, received_at=row.received_at)


def tenant_source(settings: Settings) -> TenantSource:
    """Where this process's tenants come from; secrets in the environment are fixed now."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(SECRET_PREFIX)}
    return TenantSource(
        directory=settings.tenants_dir,
        secrets=Secrets(directory=settings.secrets_dir, environment=environment),
        connectors=CONNECTORS,
        public_url=settings.public_url or "",
    )


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else "no such address"
        raise Unavailable(f"cannot listen on {host} port {port}: {reason}") from None


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _quieten_collector() -> None:
    """What was made by now stays: do not look through it again and again. Batches are freed by their counts."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_BEFORE_COLLECTION, 20, 20)


def _on_signal(signals: queue.SimpleQueue[int], number: int, _frame: FrameType | None) -> None:
    if number in _STOPPING:
        for other in _STOPPING:
            signal.signal(other, _end_at_once)
    signals.put(number)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
