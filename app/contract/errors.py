"""What can be wrong with a record. No error carries an offending value: it may be an address or a reset link."""


class ContractError(Exception):
    """A record breaks the contract.

    Args:
        field: Where, as a path from the event: `time`, `data.contacts[0].email`, `key`; empty for the whole record.
        reason: Why, in words that hold nothing of the record.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class UnknownType(Exception):  # noqa: N818 - no error: such an event is counted and passed over
    """A readable event of a type that is not in the contract."""

    def __init__(self, type_: str) -> None:
        super().__init__(type_)
        self.type = type_

    def __str__(self) -> str:
        return f"unknown type {self.type}"
