"""Where a lane goes on in a topic, and what it says where the log no longer has what comes next."""

import logging
from collections.abc import Mapping

from app import metrics
from app.engine.ports import StateUnusableError

log = logging.getLogger(__name__)


def resumed(topic: str, partition: int, position: int, beginning: int, end: int, *, go_on: bool) -> int:
    """Return the offset to go on from: `position`, the next one after what was processed, wherever the log has it.

    `beginning` and `end` are the log's. Where it has not, the topic's beginning, said loudly, if `go_on`
    (`WHIMBREL_LOST_INPUT`).

    Raises:
        StateUnusableError: Records are lost, and nobody has said to go on without them.
    """
    where = f"{topic}[{partition}]"
    if position < beginning:
        lost = f"{where}: retention has removed records {position} to {beginning - 1} before they were processed"
    elif position > max(end, beginning):
        lost = f"{where}: records below {position} were processed, but it ends at {end}: it was made anew"
    else:
        return position
    if not go_on:
        raise StateUnusableError(f"{lost}. To go on from record {beginning}, start with WHIMBREL_LOST_INPUT=go_on")
    metrics.LOST_INPUT.labels(topic).inc()
    log.error("%s; going on from record %d, as WHIMBREL_LOST_INPUT says", lost, beginning)
    return beginning


def begun(
    journal: str,
    outcomes: str,
    partition: int,
    beginnings: Mapping[str, int],
    ends: Mapping[str, int],
    *,
    done: int,
    go_on: bool,
) -> dict[str, int]:
    """Return the offsets to begin at under a journal that has nothing yet: the topics' beginnings.

    Where the topic `outcomes` has `done` records the journal is not new but lost, and with it what was done already:
    then it is the topics' ends, said loudly, if `go_on` (`WHIMBREL_LOST_INPUT`).

    Raises:
        StateUnusableError: The journal is lost, and nobody has said to go on without it.
    """
    if not done:
        return dict(beginnings)
    lost = (
        f"{journal}[{partition}] is empty, but {outcomes}[{partition}] has had {done} records: the journal was made"
        " anew, and what was done is no longer known"
    )
    skipped = ", ".join(f"{topic}[{partition}]@{end}" for topic, end in ends.items())
    if not go_on:
        raise StateUnusableError(
            f"{lost}. To go on with what comes from now on ({skipped}), start with WHIMBREL_LOST_INPUT=go_on"
        )
    for topic in ends:
        metrics.LOST_INPUT.labels(topic).inc()
    log.error("%s; going on with what comes from now on (%s), as WHIMBREL_LOST_INPUT says", lost, skipped)
    return dict(ends)
