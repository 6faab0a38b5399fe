"""Every metric, declared once. One process carries one app, so the app is no label: the scrape target says it."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTS = (1, 10, 50, 100, 250, 500, 1_000, 2_000, 5_000)

# What was read.
FACTS = Counter("whimbrel_facts_total", "Records of the input topics", ["type", "outcome"])
DEAD_LETTERS = Counter("whimbrel_dead_letters_total", "Inputs parked", ["reason"])
POISON = Counter("whimbrel_poison_total", "Records and accounts' ticks over which the handler raised: alert on any")
PARKED = Gauge("whimbrel_parked_accounts", "Accounts that ticks pass over since one raised over them", ["partition"])
TOO_LARGE = Counter("whimbrel_too_large_total", "Facts whose outcome did not fit into one journal batch")
LAG = Gauge("whimbrel_lag_records", "Records read from but not yet processed", ["topic", "partition"])
LOST_INPUT = Counter("whimbrel_lost_input_total", "Partitions gone on with though records were lost", ["topic"])
GAPS = Counter("whimbrel_gaps_total", "Fetches that did not begin at the lane's position, read again")

# What was decided and delivered.
DECISIONS = Counter("whimbrel_decisions_total", "Decision records", ["rule", "outcome", "reason"])
HELD = Gauge("whimbrel_held", "Decisions that are held now", ["partition", "reason"])
GUARD_TRIPS = Counter("whimbrel_guard_trips_total", "Rules held because they were about to send too much", ["rule"])
DELIVERIES = Counter("whimbrel_deliveries_total", "Delivery records", ["outcome"])
DELIVERY_SECONDS = Histogram("whimbrel_delivery_seconds", "One SMTP hand-over, in seconds", buckets=_SECONDS)
RETURNED = Counter("whimbrel_returned_total", "Notifications too old to hand over, sent back to be checked")
ANSWERS = Counter("whimbrel_answers_total", "Returned notifications answered", ["answer"])
ROUNDS = Counter("whimbrel_rounds_exceeded_total", "Notifications sent back a fourth time or more, unattempted")
OUTPUTS = Counter("whimbrel_outputs_total", "Records sent", ["topic"])

# How the lanes do.
CURSOR_BEHIND = Gauge("whimbrel_cursor_behind_seconds", "Time since the last tick completed", ["partition"])
HANDLING_SECONDS = Histogram("whimbrel_handling_seconds", "Computing one batch, in seconds", buckets=_SECONDS)
BATCH_RECORDS = Histogram("whimbrel_batch_records", "Input records of a batch", buckets=_COUNTS)
APPEND_SECONDS = Histogram("whimbrel_journal_append_seconds", "Journal append to acknowledgement", buckets=_SECONDS)
JOURNAL_RECORDS = Counter("whimbrel_journal_records_total", "Records appended to journals")

# How the partitions came here.
REBALANCES = Counter("whimbrel_rebalances_total", "Assignments received")
PARTITIONS = Gauge("whimbrel_partitions", "Partitions whose lane runs")
FENCES = Counter("whimbrel_fences_total", "Fence records appended to journals")
RESTORED = Counter("whimbrel_restored_records_total", "Journal records read back into the store")
RESTORE_SECONDS = Histogram(
    "whimbrel_restore_seconds", "Fence to running lane, in seconds", buckets=(*_SECONDS, 60, 300)
)

# What decides whether the worker is ready.
CLOCK_OFF = Gauge("whimbrel_clock_off_seconds", "This machine's clock less the broker's")
CONFIG_OFFSET = Gauge("whimbrel_config_offset", "Offset of the configuration in force")
