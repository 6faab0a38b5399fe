"""From waiting rows to deliveries: one partition's SMTP work, beside its lane."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

import msgspec
from msgspec.structs import replace

from app import metrics
from app.contract.instants import SECOND, Instant, parse_instant
from app.delivery import attempts, outcomes, retry, returns, smtp
from app.delivery.attempts import Attempt
from app.delivery.message import AddressError, Envelope, build, message_id
from app.delivery.outcomes import Verdict
from app.delivery.relay import Abandoned, Relay, Result
from app.delivery.render import Renderer, RenderError
from app.engine.handler import LaneAccess, View
from app.engine.lane import LaneStoppedError
from app.engine.outbox import Notification, decode_notification
from app.engine.txn import Txn

LOOK_AGAIN: Final = 60.0
"""Seconds after which due rows are looked for though nothing woke the pump: clocks are set, too."""
STOP_SECONDS: Final = 4.0
"""How long a stop waits for answers to messages already handed over."""
FORGET: Final = 500
EXPIRE: Final = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the senders of a process's partitions share."""

    relay: Relay
    renderer: Renderer
    variables: Mapping[str, type[msgspec.Struct]]
    """By trigger."""
    delivery: str
    """`smtp`, `redirect:ADDRESS` or `off`, as the setting."""
    deliveries: str
    """Name of the topic."""
    returns: str
    """Name of the topic."""
    dead_letters: str
    """Name of the topic."""
    dead_letters_per_hour: int | None
    """So many of one partition within an hour, then the worker stops; None: without end."""
    freshness: int
    """Microseconds for which a notification may be handed over unchecked."""
    first_retry: int
    """Microseconds before a notification that was put off is tried again, for the first time."""
    now: Callable[[], Instant]

    @property
    def redirect(self) -> str | None:
        """The address that gets every mail instead."""
        return self.delivery.partition(":")[2] or None


class Pump:
    """The tasks of one partition. Everything that lasts is in the rows: a new pump goes on where one was killed."""

    def __init__(self, lane: LaneAccess, ports: Ports) -> None:
        """Do nothing yet."""
        self._lane = lane
        self._ports = ports
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._beyond: set[bytes] = set()
        """Rows whose `attempting` may be in the journal: their dialogue is not broken off."""
        self._wake = asyncio.Event()
        self._ending = False
        self._loop: asyncio.Task[None] | None = None
        self._failing: Awaitable[None] | None = None

    def begin(self) -> None:
        """Start working."""
        self._loop = asyncio.create_task(self._run())
        self._loop.add_done_callback(self._check)

    def wake(self) -> None:
        """Look for work."""
        self._wake.set()

    async def end(self) -> None:
        """Begin nothing new, wait a little for answers that are under way, then stop."""
        self._ending = True
        if self._loop is not None:
            self._loop.cancel()
        for key, task in self._tasks.items():
            if key not in self._beyond:
                task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        for key in attempts.in_doubt(self._lane.read()):
            await self._settle(key, Verdict("unknown_outcome", "the sender ended before the relay's answer"))
        while True:
            self._wake.clear()
            await self._forget()
            await self._expire_unanswered()
            seconds = self._begin_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    def _begin_due(self) -> float:
        """Begin what is due as far as there is room; return after how many seconds to look again."""
        pause = 0.0 if self._ports.delivery == "off" else self._ports.relay.pause()
        if pause:
            return pause
        room = self._ports.relay.room()
        now = self._ports.now()
        for due, key in attempts.waiting(self._lane.read(), room + len(self._tasks)):
            if key in self._tasks:
                continue
            if due > now:
                return min(LOOK_AGAIN, (due - now) / SECOND)
            if len(self._tasks) >= room:
                break
            task = self._tasks[key] = asyncio.create_task(self._attend(key))
            task.add_done_callback(partial(self._finished, key))
        return LOOK_AGAIN

    def _finished(self, key: bytes, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        self._beyond.discard(key)
        self._wake.set()
        self._check(task)

    def _check(self, task: asyncio.Task[None]) -> None:
        """Let the lane, and with it the process, fail of what a task has failed of."""
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, LaneStoppedError):
            return

        def fail(_txn: Txn, _view: View) -> NoReturn:
            raise error

        self._failing = self._lane.apply(fail)

    async def _attend(self, key: bytes) -> None:
        attempt = attempts.read(self._lane.read(), key)
        if attempt is None or attempt.state != "waiting":
            return
        notification = decode_notification(attempt.notification)
        obstacle = self._obstacle(notification, attempt)
        if obstacle is None and self._is_stale(notification):
            await self._give_back(key, attempt, notification)
            return
        envelope = obstacle or self._envelope(notification)
        if isinstance(envelope, Verdict):
            await self._settle(key, envelope)
            return
        with metrics.DELIVERY_SECONDS.time():
            result = await self._ports.relay.hand_over(envelope, lambda: self._attempting(key, attempt, notification))
        await self._conclude(key, result)

    def _obstacle(self, notification: Notification, attempt: Attempt) -> Verdict | None:
        if self._ports.delivery == "off":
            return Verdict("suppressed", "delivery is off")
        if retry.expired(self._ports.now(), _begun(notification, attempt)):
            return Verdict("expired", "not delivered within three days")
        ends = None if notification.fresh else notification.expires_at  # a played history's link is of its own time
        if ends is not None and parse_instant(ends) <= self._ports.now():
            return Verdict("expired", "its link has expired")
        return None

    def _is_stale(self, notification: Notification) -> bool:
        return returns.is_stale(notification, self._ports.now(), self._ports.freshness)

    async def _give_back(self, key: bytes, attempt: Attempt, notification: Notification) -> None:
        """Ask whether it still holds; the row waits for the answer."""
        row = returns.given_back(attempt, notification)

        def work(txn: Txn, _view: View) -> None:
            if attempts.read(txn, key) == attempt:
                attempts.write(txn, key, row)
                txn.send(self._ports.returns, notification.account_id.encode(), attempt.notification)

        if row.rounds > returns.ROUNDS:
            metrics.ROUNDS.inc()
            log.warning("given back %d times without an attempt: %s", row.rounds, message_id(notification))
        metrics.RETURNED.inc()
        await self._apply(work)

    async def _expire_unanswered(self) -> None:
        for key in attempts.unanswered(self._lane.read(), self._ports.now(), EXPIRE):
            await self._settle(key, Verdict("expired", "no answer whether it still holds"))

    def _envelope(self, notification: Notification) -> Envelope | Verdict:
        """Return what is to be handed over, or why nothing can be."""
        ports = self._ports
        at = parse_instant(notification.decided_at) if notification.fresh else ports.now()
        try:
            rendered = ports.renderer.render(notification, self._variables(notification.trigger))
            return build(notification, rendered, at, ports.redirect)
        except RenderError as error:
            return Verdict("template_error", str(error))
        except AddressError:
            return Verdict("rejected", "an address cannot be written to")
        except Exception as error:  # noqa: BLE001 - one message that cannot be made must not stop the others
            return Verdict("template_error", type(error).__name__)

    def _variables(self, trigger: str) -> type[msgspec.Struct]:
        variables = self._ports.variables.get(trigger)
        if variables is None:
            raise RenderError(f"trigger {trigger} is not known to this worker")
        return variables

    async def _attempting(self, key: bytes, attempt: Attempt, notification: Notification) -> bool:
        """Write down that the message is about to leave; False where it must not: it may have waited for the relay."""
        if self._ending or self._is_stale(notification):
            return False
        self._beyond.add(key)
        begun = replace(attempt, state="attempting", due=self._ports.now(), attempts=attempt.attempts + 1, rounds=0)
        ours = False

        def work(txn: Txn, _view: View) -> None:
            nonlocal ours
            ours = attempts.read(txn, key) == attempt
            if ours:
                attempts.write(txn, key, begun)

        await self._apply(work)
        return ours

    async def _conclude(self, key: bytes, result: Result) -> None:
        if isinstance(result, Abandoned):
            return
        was, notification = self._row(key)
        attempt = was
        if was.state == "waiting":  # it came to nothing before `attempting` was due
            attempt = replace(was, attempts=was.attempts + 1, rounds=0)
        match result:
            case smtp.Accepted():
                verdict = Verdict("accepted", "redirected" if self._ports.redirect else None)
            case smtp.Rejected(reason):
                verdict = Verdict("rejected", reason)
            case smtp.Unknown(reason):
                verdict = Verdict("unknown_outcome", reason)
            case smtp.Deferred(reason):
                begun = _begun(notification, attempt)
                again = retry.next_attempt(attempt.attempts, self._ports.now(), begun, self._ports.first_retry)
                verdict = Verdict("expired" if again is None else "deferred", reason)
                if again is not None:
                    attempt = replace(attempt, state="waiting", due=again)
        await self._write(key, was, attempt, notification, verdict)

    async def _settle(self, key: bytes, verdict: Verdict) -> None:
        row, notification = self._row(key)
        await self._write(key, row, row, notification, verdict)

    async def _write(
        self, key: bytes, was: Attempt, row: Attempt, notification: Notification, verdict: Verdict
    ) -> None:
        """Commit the row and what became of it, unless the row is no longer what it was: it has been answered."""
        now, ours = self._ports.now(), False

        def work(txn: Txn, _view: View) -> None:
            nonlocal ours
            ours = attempts.read(txn, key) == was
            if ours:
                outcomes.write(txn, self._ports.deliveries, row, notification, verdict, now=now)

        await self._apply(work)
        if not ours:
            return
        metrics.DELIVERIES.labels(verdict.outcome).inc()
        if verdict.outcome in {"unknown_outcome", "template_error"}:
            log.warning("%s: %s %s", verdict.outcome, message_id(notification), verdict.reason)

    async def _forget(self) -> None:
        keys = attempts.forgettable(self._lane.read(), self._ports.now(), FORGET)

        def work(txn: Txn, _view: View) -> None:
            for key in keys:
                txn.put(key, None)

        if keys:
            await self._apply(work)

    async def _apply(self, work: Callable[[Txn, View], None]) -> None:
        await asyncio.shield(self._lane.apply(work))

    def _row(self, key: bytes) -> tuple[Attempt, Notification]:
        attempt = attempts.read(self._lane.read(), key)
        if attempt is None or attempt.state == "done":
            raise RuntimeError("a row that this pump works on was changed by somebody else")
        return attempt, decode_notification(attempt.notification)


def _begun(notification: Notification, attempt: Attempt) -> Instant:
    """Return the instant from which a notification ages. In a played history its own time is not the sender's."""
    return attempt.received if notification.fresh else parse_instant(notification.decided_at)
