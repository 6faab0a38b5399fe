"""Where Kafka's default partitioner puts a key: facts, and all that is about their account, lie there."""

from aiokafka.partitioner import murmur2


def partition_of(owner: str, partitions: int) -> int:
    """Return the partition of everything about the account or user."""
    return int(murmur2(owner.encode()) & 0x7FFFFFFF) % partitions
