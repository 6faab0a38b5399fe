"""What a handler raises over one record or one account: whether the input is at fault, and what may be told of it."""

from types import TracebackType
from typing import Final

from app.domain.book import UnknownFormatError
from app.errors import WhimbrelError

OURS: Final = "app"
NOT_OF_THE_INPUT: Final = (WhimbrelError, UnknownFormatError, OSError, MemoryError)
"""What would befall any other input as well: the process ends of it, and the input waits."""


def is_poison(error: Exception) -> bool:
    """Say whether the input that was being processed is to be set aside because of the error."""
    return not isinstance(error, NOT_OF_THE_INPUT)


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
