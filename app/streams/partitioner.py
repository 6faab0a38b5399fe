"""Where Kafka's default partitioner puts a key: facts, and all that is about their account, lie there."""

from aiokafka.partitioner import murmur2


def partition_of(owner: str, partitions: int) -> int:
    """Return the partition of everything about the account or user."""
    return partition_of_key(owner.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a record with this key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
