"""A mistake in a trigger that shows over one account alone."""

from collections.abc import Callable
from typing import Any

from app.contract.codec import Fact
from app.domain.book import Book
from app.triggers import REGISTRY
from app.triggers.base import Present

SECRET = "https://portal.example/reset/do-not-tell"


class MistakeError(Exception):
    """A trigger's own mistake; its text quotes what it was about."""


def raising(trigger: str, part: str, account: str) -> tuple[dict[str, Any], str, Callable[..., Any]]:
    """Return what must be set where (`namespace[name] = value`), so that the trigger's `part` raises over the account.

    `part` is `occurs`, `coming` or `message`.
    """
    namespace = vars(REGISTRY[trigger])
    mended = namespace[part]

    def mistaken(*arguments: Any) -> Any:
        if any(_account_of(each) == account for each in arguments):
            raise MistakeError(SECRET)
        return mended(*arguments)

    return namespace, part, mistaken


def _account_of(argument: object) -> str | None:
    if isinstance(argument, Present):
        return argument.book.id
    if isinstance(argument, Book):
        return argument.id
    return argument.subject if isinstance(argument, Fact) else None
