"""What a handler raises over one record or one account: whether the input is at fault, and what may be told of it."""

import logging
from types import TracebackType
from typing import Final

from app import metrics
from app.domain.book import UnknownFormatError
from app.engine.dead_letters import TooManyDeadLettersError
from app.errors import WhimbrelError

OURS: Final = "app"
NOT_OF_THE_INPUT: Final = (WhimbrelError, UnknownFormatError, OSError, MemoryError)
"""What would befall any other input as well: the process ends of it, and the input waits."""


log = logging.getLogger(__name__)


class NotAloneError(Exception):
    """The handler raised over some of a batch: less of it is to be computed, to find out over what."""


def set_aside(error: Exception, where: str, *, alone: bool) -> None:
    """Return, having said so, where `error` was raised over a single input, which is at fault.

    Raises NotAloneError where it was raised over several, and `error` itself where it is not an input's: or where the
    one dead letter too many would be written, once all before it are.
    """
    stops = isinstance(error, TooManyDeadLettersError)
    if isinstance(error, NOT_OF_THE_INPUT) and not stops:
        raise error
    if not alone:
        raise NotAloneError from error
    if stops:
        raise error
    log.error("%s: %s; it is set aside, all else goes on (%s)", where, reason_of(error), way_to(error))
    metrics.POISON.inc()


def reason_of(error: Exception) -> str:
    """Return a dead letter's reason, `handler: KeyError at app.triggers.job_scheduled:31`.

    Never the exception's text: it may quote the payload, and with it an address or a link.
    """
    return f"handler: {type(error).__name__} at {_places(error)[-1]}"


def way_to(error: Exception) -> str:
    """Return the lines of ours that led to the error, the outermost first: what a log may say of it."""
    return " > ".join(_places(error))


def _places(error: Exception) -> list[str]:
    places = list(_of(error.__traceback__))
    return [place for place in places if place.partition(".")[0] == OURS] or places or ["an unknown place"]


def _of(traceback: TracebackType | None) -> list[str]:
    found = []
    while traceback is not None:
        found.append(f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return found
