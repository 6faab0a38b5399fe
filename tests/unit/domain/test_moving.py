"""An account's clock follows its company's changes of zone, each at its own instant (DOMAIN.md, section 4, Days)."""

from typing import Any

from msgspec.structs import replace

from app.domain.account import Login
from app.domain.book import Book, new_book
from app.domain.calendar import LocalClock, local_clock
from app.domain.companies import EarlierZone
from app.domain.moving import followed, in_zone, next_move
from tests.builders import NEW_YORK, a_book, a_company, an_account, at, some_details

BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"
FIRST, SECOND = at("2026-06-10 12:00"), at("2026-06-11 12:00")
COMPANY = a_company(time_zone=TOKYO, earlier=(EarlierZone(NEW_YORK, FIRST), EarlierZone(BERLIN, SECOND)))


def a_book_at(text: str, **fields: Any) -> Book:
    return a_book(account=an_account(done=at(text), **fields))


def clock(book: Book) -> LocalClock | None:
    return book.account.clock


def test_the_zone_in_force_at_an_instant_is_the_one_that_had_not_ended_by_then() -> None:
    assert [COMPANY.zone_at(each) for each in (FIRST - 1, FIRST, SECOND - 1, SECOND)] == [
        NEW_YORK,
        BERLIN,
        BERLIN,
        TOKYO,
    ]
    assert list(COMPANY.moves(FIRST, SECOND)) == [FIRST]


def test_a_clock_that_was_not_looked_at_meanwhile_goes_over_at_the_instants_of_the_changes() -> None:
    berlin = LocalClock(BERLIN, FIRST, local_clock(NEW_YORK, FIRST))
    assert clock(followed(a_book_at("2026-06-10 11:59"), COMPANY)) == LocalClock(NEW_YORK)
    assert clock(followed(a_book_at("2026-06-10 12:00"), COMPANY)) == berlin
    after = followed(a_book_at("2026-07-01 00:00"), COMPANY)
    assert clock(after) == LocalClock(TOKYO, SECOND, local_clock(BERLIN, SECOND))
    assert followed(after, COMPANY) is after


def test_an_account_with_a_zone_of_its_own_or_without_a_clock_does_not_follow() -> None:
    own = a_book_at("2026-07-01 00:00", details=some_details(time_zone=NEW_YORK))
    assert followed(own, COMPANY) is own
    assert next_move(replace(own, account=replace(own.account, done=0)), COMPANY, SECOND) == SECOND
    unknown = new_book("a1", SECOND)
    assert followed(unknown, COMPANY) is unknown
    steady = a_book_at("2026-07-01 00:00")
    assert followed(steady, a_company()) is steady


def test_a_login_follows_its_company() -> None:
    book = a_book_at("2026-07-01 00:00", details=None, login=Login("u1", "U", "u@x.example", "en", "acme"))
    assert clock(followed(book, COMPANY)) == LocalClock(TOKYO, SECOND, local_clock(BERLIN, SECOND))


def test_the_next_change_is_the_first_after_the_clock_that_the_stretch_holds() -> None:
    assert next_move(a_book_at("2026-06-10 11:00"), COMPANY, SECOND) == FIRST
    assert next_move(a_book_at("2026-06-10 12:00"), COMPANY, SECOND) == SECOND
    assert next_move(a_book_at("2026-06-10 12:00"), a_company(), SECOND) == SECOND


def test_a_clock_begins_in_the_zone_of_its_instant() -> None:
    book = a_book_at("2026-06-10 11:00", clock=None)
    assert clock(in_zone(book, COMPANY, FIRST - 1)) == LocalClock(NEW_YORK)
    assert clock(in_zone(book, COMPANY, SECOND)) == LocalClock(TOKYO)
