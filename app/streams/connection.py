"""A repair of aiokafka: a connection that uvloop has closed is as good as one that broke.

A write to it raises RuntimeError there, where aiokafka counts on OSError: whatever was about to ask the broker anything
would end of it. It shows where a broker goes away between two requests.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send


def mend() -> None:
    """Have all connections of this process say KafkaConnectionError, upon which aiokafka asks again or elsewhere."""
    AIOKafkaConnection.send = _sent


def _sent(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - as theirs
    try:
        return _send(self, request, expect_response)
    except RuntimeError as error:
        if self._writer is None or not self._writer.transport.is_closing():
            raise
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"connection to {self.host}:{self.port} was closed") from error
