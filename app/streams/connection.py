"""Repairs of aiokafka where a broker goes away between two requests, or has only just come.

A write to a connection that uvloop has closed raises RuntimeError, where aiokafka counts on OSError. And a broker that
is starting may answer before it knows of any broker, itself included: whoever then looks for a coordinator meets an
assertion. Either would end whatever was about to ask.
"""

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

_send = AIOKafkaConnection.send
_lookup = AIOKafkaClient.coordinator_lookup


def mend() -> None:
    """Have all clients of this process say what aiokafka asks again upon: KafkaConnectionError, NodeNotReadyError."""
    AIOKafkaConnection.send = _sent
    AIOKafkaClient.coordinator_lookup = _looked_up


def _sent(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - as theirs
    try:
        return _send(self, request, expect_response)
    except RuntimeError as error:
        if self._writer is None or not self._writer.transport.is_closing():
            raise
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"connection to {self.host}:{self.port} was closed") from error


async def _looked_up(self: AIOKafkaClient, coordinator_type: int, coordinator_key: str) -> Any:
    if not self.cluster.brokers():
        raise NodeNotReadyError("the broker that answered knows of no broker yet")
    return await _lookup(self, coordinator_type, coordinator_key)
