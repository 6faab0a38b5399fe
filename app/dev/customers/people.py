"""Who a customer is: the account, and the people on it."""

from typing import Any, Final

from app.dev.customers.customer import Customer

COMPANIES: Final = ("harbor", "harbor", "mesa", "nordlicht")
ZONES: Final = {
    "harbor": ("America/Chicago", "America/Los_Angeles", "America/Puerto_Rico"),
    "mesa": ("America/Phoenix", "America/Los_Angeles", "America/Chicago"),
    "nordlicht": ("Europe/Lisbon", "Europe/Vienna"),
}
LANGUAGES: Final = {"harbor": ("en",), "mesa": ("en", "es"), "nordlicht": ("de",)}
FIRST_NAMES: Final = ("Ada", "Bo", "Carla", "Dmitri", "Elin", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kai", "Lena")
LAST_NAMES: Final = ("Abara", "Brandt", "Castillo", "Dahl", "Ekman", "Flores", "Grant", "Haas", "Ito", "Jensen")


def account(one: Customer) -> dict[str, Any]:
    """Return the account as its events tell of it."""
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
    if one.chance(0.25):
        data["groups"] = ["rural"]
    if one.chance(0.06):
        # A branch of the account before it, which gets the bill's notice for both.
        data["parent_account_id"] = f"a{int(one.id[1:]) - 1:04}"
    if one.chance(0.08):
        least = {"amount": 6_000, "currency": one.currency}
        data["delinquency"] = {"minimum_amount": least, "check_weekdays": ["mon", "tue", "wed", "thu", "fri"]}
    return data


def payer(one: Customer) -> dict[str, Any]:
    """Return the first of the account's contacts."""
    first: dict[str, Any] = one.data["contacts"][0]
    return first


def moved_zone(one: Customer) -> str:
    """Return a zone for a customer who moves."""
    return one.dice.choice(ZONES[one.company])


def _contacts(one: Customer, name: str) -> list[dict[str, Any]]:
    language = one.dice.choice(LANGUAGES[one.company])
    first = _contact(one, "c1", name, ["financial", "general"], language)
    if one.chance(0.03):
        first["email"] = None
    if one.chance(0.04):
        first["email_opt_out"] = True
    contacts = [first]
    if one.chance(0.35):
        partner = f"{one.dice.choice(FIRST_NAMES)} {name.split()[1]}"
        contacts.append(_contact(one, "c2", partner, one.dice.choice((["financial"], ["general"], [])), language))
        if one.chance(0.3):
            # A household that shares one mailbox gets each message once.
            contacts[1]["email"] = first["email"]
    if one.chance(0.25):
        contacts.append(_contact(one, "c3", "Network desk", ["technical"], language))
    return contacts


def _contact(one: Customer, id_: str, name: str, categories: list[str], language: str) -> dict[str, Any]:
    email = f"{name.split(maxsplit=1)[0].lower()}.{id_}@{one.id}.example"
    return {"contact_id": id_, "name": name, "email": email, "language": language, "categories": categories}
