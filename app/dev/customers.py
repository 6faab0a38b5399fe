"""One made-up customer: who they are, what they are billed, and how they pay. The same seed tells the same story."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Final

import orjson

BILLING: Final = "/billing"
CURRENCIES: Final = {"harbor": "USD", "mesa": "USD", "nordlicht": "EUR"}
ZONES: Final = {
    "harbor": ("America/Chicago", "America/Los_Angeles", "America/Puerto_Rico"),
    "mesa": ("America/Phoenix", "America/Los_Angeles", "America/Chicago"),
    "nordlicht": ("Europe/Lisbon", "Europe/Vienna"),
}
LANGUAGES: Final = {"harbor": "en", "mesa": "en", "nordlicht": "de"}
FIRST_NAMES: Final = ("Ada", "Bo", "Carla", "Dmitri", "Elin", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kai", "Lena")
LAST_NAMES: Final = ("Abara", "Brandt", "Castillo", "Dahl", "Ekman", "Flores", "Grant", "Haas", "Ito", "Jensen")
PLANS: Final = (4_999, 5_999, 7_900, 8_999, 12_900)
HABITS: Final = {"on time": 50, "late": 25, "in part": 10, "disputes": 3, "never": 12}
ATTEMPTS: Final = 3
FAILURES: Final = ("card_declined", "insufficient_funds", "expired_card")


@dataclass
class Said:
    """An event as it is logged: `logged` is when it reaches the log, which may be later than the event's own time."""

    logged: datetime
    line: bytes
    id: str


@dataclass
class Bill:
    """An invoice as it stands."""

    id: str
    number: str
    issued: date
    due: date
    total: int
    grace: int
    auto_pay_on: date | None
    balance: int = 0
    status: str = "open"
    version: int = 0


@dataclass
class Customer:
    """An account and its story so far, from `begin` for `days`. Everything random comes from `dice`."""

    id: str
    company: str
    dice: Random
    begin: date
    days: int
    said: list[Said] = field(default_factory=list)
    autopay: bool = False
    data: dict[str, Any] = field(default_factory=dict)

    def say(self, kind: str, at: datetime, data: dict[str, Any], source: str = BILLING) -> None:
        """Log an event that happens at `at`, unless the story is over by then."""
        if at >= _at(self.begin + timedelta(days=self.days), 0):
            return
        id_ = f"{self.id}-{len(self.said) + 1}"
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": source,
            "type": kind,
            "subject": self.id,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "datacontenttype": "application/json",
            "data": data,
        }
        self.said.append(Said(at, orjson.dumps(event), id_))

    def chance(self, share: float) -> bool:
        """Return true in this share of cases."""
        return self.dice.random() < share

    def some_time(self, day: date, earliest: int = 6, latest: int = 22) -> datetime:
        """Return a time of that day, between these hours of UTC."""
        return _at(day, earliest * 3600 + self.dice.randrange((latest - earliest) * 3600))


def customer(number: int, seed: int, begin: date, days: int) -> Customer:
    """Tell the story of customer `number`."""
    dice = Random(f"{seed}:{number}")
    one = Customer(f"a{number:04}", dice.choice(("harbor", "harbor", "mesa", "nordlicht")), dice, begin, days)
    one.autopay = one.chance(0.4)
    one.data = _account(one)
    joined = _import(one) if one.chance(0.6) else _join(one)
    _bill_monthly(one, joined)
    _changes(one)
    return one


def _account(one: Customer) -> dict[str, Any]:
    dice = one.dice
    name = f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}"
    data: dict[str, Any] = {
        "account_id": one.id,
        "company_id": one.company,
        "name": name,
        "number": f"{dice.randrange(10**6):06}",
        "account_type": dice.choice(("residential", "residential", "business")),
        "status": {"name": "Active", "activates": True},
        "autopay": one.autopay,
        "contacts": _contacts(one, name),
    }
    if one.chance(0.3):
        data["time_zone"] = dice.choice(ZONES[one.company])
    if one.chance(0.08):
        least = {"amount": 6_000, "currency": CURRENCIES[one.company]}
        data["delinquency"] = {"minimum_amount": least, "check_weekdays": ["mon", "tue", "wed", "thu", "fri"]}
    return data


def _contacts(one: Customer, name: str) -> list[dict[str, Any]]:
    language = LANGUAGES[one.company]
    payer = _contact(one, "c1", name, ["financial", "general"], language)
    if one.chance(0.03):
        payer["email"] = None
    if one.chance(0.04):
        payer["email_opt_out"] = True
    contacts = [payer]
    if one.chance(0.35):
        partner = f"{one.dice.choice(FIRST_NAMES)} {name.split()[1]}"
        contacts.append(_contact(one, "c2", partner, one.dice.choice((["financial"], ["general"], [])), language))
        if one.chance(0.3):
            # A household that shares one mailbox gets each message once.
            contacts[1]["email"] = payer["email"]
    if one.chance(0.25):
        contacts.append(_contact(one, "c3", "Network desk", ["technical"], language))
    return contacts


def _contact(one: Customer, id_: str, name: str, categories: list[str], language: str) -> dict[str, Any]:
    email = f"{name.split(maxsplit=1)[0].lower()}.{id_}@{one.id}.example"
    return {"contact_id": id_, "name": name, "email": email, "language": language, "categories": categories}


def _import(one: Customer) -> date:
    """Arrive with what an earlier system knew: state, but nothing that happens."""
    at = _at(one.begin - timedelta(days=1), 12 * 3600 + one.dice.randrange(3600))
    one.say("billing.account.snapshot", at, one.data)
    if one.chance(0.7):
        issued = one.begin - timedelta(days=one.dice.randrange(3, 45))
        bill = _new_bill(one, issued, "i0")
        _tell(one, "snapshot", bill, at + timedelta(seconds=30))
        if bill.balance and one.chance(0.6):
            paid = one.begin + timedelta(days=one.dice.randrange(1, 25))
            _pay(one, bill, one.some_time(paid), bill.balance)
    return one.begin


def _join(one: Customer) -> date:
    """Sign up during the first month, and be activated at once or after the installation."""
    day = one.begin + timedelta(days=one.dice.randrange(30))
    at = one.some_time(day)
    if one.chance(0.5):
        one.say("billing.account.updated", at, one.data | {"status": {"name": "Pending", "activates": False}})
        day += timedelta(days=one.dice.randrange(1, 6))
        starts = _at(day, 14 * 3600)
        job = {
            "job_id": f"{one.id}-j1",
            "job_type": "install",
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(hours=2)).isoformat(),
            "technician": {"id": "t7", "name": "Noor Haddad"},
        }
        one.say("jobs.job.scheduled", at + timedelta(hours=1), job, "/jobs")
        at = one.some_time(day, 16, 20)
    one.say("billing.account.updated", at, one.data)
    return day


def _bill_monthly(one: Customer, joined: date) -> None:
    first = joined + timedelta(days=one.dice.randrange(1, 20))
    for month in range(3):
        issued = first + timedelta(days=30 * month)
        bill = _new_bill(one, issued, f"i{month + 1}")
        # The nightly run takes its time: accounts follow each other within the hour.
        at = _at(issued, 5 * 3600 + one.dice.randrange(3600))
        _tell(one, "issued", bill, at)
        run = {"run_id": f"run-{issued}", "billed_on": str(issued), "invoice_id": bill.id, "total": bill.total}
        one.say("billing.run.completed", at + timedelta(minutes=5), run)
        _settle(one, bill)


def _new_bill(one: Customer, issued: date, id_: str) -> Bill:
    total = one.dice.choice(PLANS) + (one.dice.randrange(100, 2_500) if one.chance(0.3) else 0)
    due = issued + timedelta(days=14)
    number = f"{issued:%Y%m}-{one.id[1:]}"
    auto = due if one.autopay else None
    return Bill(f"{one.id}-{id_}", number, issued, due, total, one.dice.choice((0, 3, 5)), auto, balance=total)


def _tell(one: Customer, what: str, bill: Bill, at: datetime) -> None:
    bill.version += 1
    data = {
        "invoice_id": bill.id,
        "account_id": one.id,
        "number": bill.number,
        "currency": CURRENCIES[one.company],
        "total": bill.total,
        "balance": bill.balance,
        "issued_on": str(bill.issued),
        "due_on": str(bill.due),
        "grace_days": bill.grace,
        "status": bill.status,
        "auto_pay_on": str(bill.auto_pay_on) if bill.auto_pay_on else None,
        "origin": "billing_run",
        "view_url": f"https://portal.{one.company}.example/invoices/{bill.id}",
        "version": bill.version,
    }
    one.say(f"billing.invoice.{what}", at, data)


def _settle(one: Customer, bill: Bill) -> None:
    if one.autopay:
        _settle_by_card(one, bill)
        return
    habit = one.dice.choices(tuple(HABITS), tuple(HABITS.values()))[0]
    if habit == "on time":
        _pay(one, bill, one.some_time(bill.due - timedelta(days=one.dice.randrange(9))), bill.balance)
    elif habit == "late":
        _pay(one, bill, one.some_time(bill.due + timedelta(days=one.dice.randrange(1, 24))), bill.balance)
    elif habit == "in part":
        _pay(one, bill, one.some_time(bill.due - timedelta(days=2)), bill.balance // 2)
        if one.chance(0.5):
            _pay(one, bill, one.some_time(bill.due + timedelta(days=one.dice.randrange(2, 20))), bill.balance)
    elif habit == "disputes":
        bill.status = "void"
        _tell(one, "updated", bill, one.some_time(bill.due + timedelta(days=one.dice.randrange(-5, 10))))


def _settle_by_card(one: Customer, bill: Bill) -> None:
    day, attempt = bill.due, 1
    while attempt <= ATTEMPTS and one.chance(0.2):
        retry = day + timedelta(days=3) if attempt < ATTEMPTS else None
        failed = _payment(one, bill, bill.balance) | {
            "attempt": attempt,
            "reason": one.dice.choice(FAILURES),
            "retry_on": str(retry) if retry else None,
        }
        one.say("billing.payment.failed", _at(day, 10 * 3600 + one.dice.randrange(3600)), failed)
        day, attempt = day + timedelta(days=3), attempt + 1
    if attempt <= ATTEMPTS:
        _pay(one, bill, _at(day, 10 * 3600 + one.dice.randrange(3600)), bill.balance)


def _pay(one: Customer, bill: Bill, at: datetime, amount: int) -> None:
    one.say("billing.payment.succeeded", at, _payment(one, bill, amount) | {"invoice_ids": [bill.id]})
    bill.balance -= amount
    bill.status = "open" if bill.balance else "paid"
    _tell(one, "updated", bill, at + timedelta(seconds=2))


def _payment(one: Customer, bill: Bill, amount: int) -> dict[str, Any]:
    method = {"kind": "card", "brand": "visa", "last4": "4242"} if one.autopay else {"kind": "bank"}
    return {
        "payment_id": f"{bill.id}-p{bill.version}",
        "amount": amount,
        "currency": CURRENCIES[one.company],
        "method": method,
        "autopay": one.autopay,
    }


def _changes(one: Customer) -> None:
    """Change the account on the way: more time to pay, no more mail, a new zone."""
    day = one.begin + timedelta(days=one.dice.randrange(10, one.days))
    if one.chance(0.08):
        until = day + timedelta(days=one.dice.randrange(5, 20))
        one.say("billing.account.updated", one.some_time(day), one.data | {"grace_until": str(until)})
    if one.chance(0.06):
        wish = {"contact_id": "c1", "email_opt_out": True}
        one.say("portal.contact.preferences_changed", one.some_time(day), wish, "/portal")
    if one.chance(0.02):
        moved = one.data | {"time_zone": one.dice.choice(ZONES[one.company])}
        one.say("billing.account.updated", one.some_time(day), moved)


def _at(day: date, second: int) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(seconds=second)
