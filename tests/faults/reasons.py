"""What a worker says that ends by itself, as patterns: a scenario names those that it has reason to expect."""

from typing import Final

from app.streams.lanes import REVOKE_SECONDS
from app.streams.patience import AWAY_SECONDS, UNACKNOWLEDGED_SECONDS

NEVER: Final = r"(?!)"
EXPELLED: Final = "The group has taken this worker for dead|another worker has taken the partition over"
"""It stood still, and others have its partitions by now."""
AWAY: Final = (
    rf"no answer from Kafka at \S+ for {AWAY_SECONDS:.0f} s|: not acknowledged for {UNACKNOWLEDGED_SECONDS:.0f} s"
)
"""Its broker is away; the latter, where it went amid an append."""
UNFINISHED: Final = f"lanes did not finish within {REVOKE_SECONDS:.0f} s of being revoked"
"""Its partitions were shared out anew while nothing that it wrote was acknowledged."""
STOOD_STILL: Final = f"{EXPELLED}|{UNFINISHED}"
"""It was stopped and let go on: it hears so from the group, or by its own deadline where it was closing its lanes."""
INTRUDED: Final = "the journal's next offset was"
"""Somebody else wrote to a partition of its own: nothing but a journal made anew beneath it may do that."""
REFUSED: Final = "max.message.bytes"
LOST: Final = "WHIMBREL_LOST_INPUT=go_on|the log no longer has what comes next"
"""What it was to read is gone."""
UNASSIGNED: Final = r"partition \d+ was assigned without \S+: the topic is gone"
"""The group has shared out what there was."""
FOREIGN: Final = "it is not the journal that they come from: remove that directory"
"""The rows on its disk are of a journal that is gone."""
CLOCK: Final = "this machine's clock is"
DISK: Final = "if the disk is well, delete the directory"
