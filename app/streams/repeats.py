"""Outputs are sent at least once; by the id in their header a reader knows the repeats (ARCHITECTURE.md, section 5)."""

from app.engine.records import ID_HEADER, Record, header


class Repeats:
    """The newest output id seen of each journal and topic: ids rise along a topic's partition, repeats do not."""

    def __init__(self) -> None:
        """Begin having seen nothing."""
        self._newest: dict[tuple[str, str], tuple[int, int]] = {}

    def is_new(self, record: Record) -> bool:
        """Tell whether the record is no repeat, and remember it; one without an id is always new."""
        output_id = header(record, ID_HEADER)
        if output_id is None:
            return True
        # incarnation/partition, that is the journal; then the offset in it, and the index at that offset
        journal, offset, index = output_id.decode().rsplit("/", 2)
        place = int(offset), int(index)
        if place <= self._newest.get((record.topic, journal), (-1, -1)):
            return False
        self._newest[record.topic, journal] = place
        return True
