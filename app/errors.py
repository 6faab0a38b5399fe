"""The one root of what Whimbrel raises on purpose."""


class WhimbrelError(Exception):
    """Something went wrong that a person can mend: the message says what, where, and what to do."""

    def __init__(self, message: str | None = None) -> None:
        """Take `message`, or the class's docstring where there is none."""
        super().__init__(message or type(self).__doc__)
