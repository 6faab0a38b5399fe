"""What customers do in the portal: their logins, passwords, addresses and wishes."""

from datetime import datetime, timedelta
from typing import Any

from app.dev.customers.customer import Customer, written
from app.dev.customers.people import payer


def log_in(one: Customer) -> None:
    """Get a login, forget its password, change what is told of oneself."""
    if payer(one)["email"] is not None and one.chance(0.5):
        _have_login(one)
    if one.chance(0.1):
        changed = {"contact_id": payer(one)["contact_id"], "via": one.dice.choice(("portal", "instance"))}
        one.say("portal.contact.password_changed", one.some_time(one.some_day(), 0, 24), changed)
    if one.chance(0.12):
        _change_address(one)
    if one.chance(0.06):
        _opt_out(one)


def _have_login(one: Customer) -> None:
    user = {
        "user_id": f"u{one.id[1:]}",
        "name": one.data["name"],
        "email": payer(one)["email"],
        "language": payer(one)["language"],
        "company_id": one.company,
    }
    door = f"https://portal.{one.company}.example/password/{one.id}"
    if not one.imported:
        at = one.joined + timedelta(minutes=10)
        invitation: dict[str, Any] = {"user": user, "set_password_url": f"{door}/new", "expires_at": _in(at, hours=72)}
        one.say("portal.user.created", at, invitation, user["user_id"])
        if one.chance(0.2):
            again = at + timedelta(hours=26)
            invitation |= {"expires_at": _in(again, hours=72), "resend": True}
            one.say("portal.user.created", again, invitation, user["user_id"])
    if one.chance(0.25):
        _forget(one, user, f"{door}/reset")


def _forget(one: Customer, user: dict[str, Any], door: str) -> None:
    at = one.some_time(one.some_day(), 0, 24)
    asked = {"user": user, "reset_url": door, "expires_at": _in(at, hours=1)}
    one.say("portal.user.password_reset_requested", at, asked, user["user_id"])


def _change_address(one: Customer) -> None:
    """Move; or write the same address in another way, which is no change."""
    old = f"{one.dice.randrange(1, 200)} Quay Street"
    new = f"{one.dice.randrange(1, 200)} Mill Lane" if one.chance(0.7) else f" {old.upper()} "
    kind = one.dice.choice(("physical", "mailing"))
    moved = {"kind": kind, "old": {"street": old}, "new": {"street": new}}
    one.say("portal.account.address_changed", one.some_time(one.some_day()), moved)


def _opt_out(one: Customer) -> None:
    """Ask for no more mail; some think better of it."""
    at = one.some_time(one.some_day())
    wish = {"contact_id": payer(one)["contact_id"], "email_opt_out": True}
    one.say("portal.contact.preferences_changed", at, wish)
    if one.chance(0.3):
        one.say("portal.contact.preferences_changed", at + timedelta(days=9), wish | {"email_opt_out": False})


def _in(at: datetime, hours: int) -> str:
    return written(at + timedelta(hours=hours))
