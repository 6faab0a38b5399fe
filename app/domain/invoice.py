"""A bill, as last told, and its state of delinquency (DOMAIN.md, sections 1 and 3.2)."""

from datetime import date

import msgspec

from app.contract.instants import Instant
from app.domain.calendar import days_after


class Invoice(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One invoice. Amounts are minor units of `currency`.

    `since` is `delinquent_since`, `flipped_at` the instant of the flip; `silent` if a snapshot found it delinquent.
    `ready_on` is the first local day on which it may be moved in, as far as its last change tells: what the due index
    looks at. It is None where nothing can be moved in.
    """

    invoice_id: str
    number: str
    currency: str
    total: int
    balance: int
    issued_on: date
    due_on: date
    grace_days: int
    status: str = "open"
    version: int | None = None
    auto_pay_on: date | None = None
    pdf_url: str | None = None
    view_url: str | None = None
    origin: str | None = None
    since: date | None = None
    flipped_at: Instant | None = None
    silent: bool = False
    ready_on: date | None = None
    zone_key: str = ""
    """Under which zone the index files it: the account's own, or `company:<id>`."""
    irregular: bool = False
    """The account has check weekdays or a minimum amount, so the day may lie any time after `ready_on`."""

    @property
    def row_id(self) -> str:
        """The id that its row bears."""
        return self.invoice_id

    @property
    def open(self) -> bool:
        """Only open invoices are chased."""
        return self.status == "open" and self.balance > 0

    @property
    def nominal(self) -> date:
        """The nominal date: nobody is delinquent before being past due."""
        return days_after(self.due_on, max(1, self.grace_days))

    @property
    def delinquent(self) -> bool:
        """Moved in, and not out again since."""
        return self.since is not None
