"""How values are written for people of a place: regions, zones, sizes."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from app.delivery import locales

MORNING = dt.datetime(2026, 6, 16, 14, tzinfo=dt.UTC)
CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("contact", "company", "locale"),
    [
        ("es", "en_US", "es_US"),
        ("es", "es_MX", "es_MX"),
        ("es-MX", "en_US", "es_MX"),
        ("en", "en_AU", "en_AU"),
        ("de", "en_US", "de"),
        ("es", "en", "es"),
        (None, "es_US", "es_US"),
        ("klingon", "en_US", "en_US"),
        (None, "nowhere", "en"),
    ],
)
def test_a_language_is_written_as_in_the_companys_region(contact: str | None, company: str, locale: str) -> None:
    assert str(locales.formatting_locale(contact, company)) == locale


@pytest.mark.parametrize(
    ("size", "locale", "text"),
    [
        (742_539_000_000, "en_US", "742.53 GB"),
        (999_999_999_999, "en_US", "999.99 GB"),
        (1_000_000_000_000, "en_US", "1 TB"),
        (1_250_000_000_000, "es_ES", "1,25 TB"),
        (40_000_000, "en_US", "0.04 GB"),
        (0, "en_US", "0 GB"),
    ],
)
def test_sizes_are_in_gb_and_from_a_thousand_of_them_in_tb(size: int, locale: str, text: str) -> None:
    assert locales.data_size(size, Locale.parse(locale)).replace("\xa0", " ") == text


@pytest.mark.parametrize(
    ("locale", "zone", "text"),
    [
        ("en_US", "America/Chicago", "June 16, 2026, 9:00 AM CDT"),
        ("es_US", "America/Chicago", "16 de junio de 2026, 9:00 a.m. CDT"),
        ("es_MX", "America/Chicago", "16 de junio de 2026, 9:00 a.m. (hora de verano central)"),
        ("en_US", "UTC", "June 16, 2026, 2:00 PM UTC"),
        ("ja_JP", "Asia/Tokyo", "2026年6月16日 23:00 JST"),
    ],
)
def test_an_instant_has_date_time_and_zone(locale: str, zone: str, text: str) -> None:
    written = locales.instant(MORNING, ZoneInfo(zone), Locale.parse(locale))
    assert "\u202f" not in written, "many fonts of mail clients have no narrow space"
    assert written.replace("\xa0", " ") == text


def test_percent_and_weekdays_are_the_locales() -> None:
    assert locales.percent(80, Locale.parse("en_US")) == "80%"
    assert locales.percent(80, Locale.parse("es_ES")) == "80\xa0%"
    assert locales.day(dt.date(2026, 6, 16), Locale.parse("es_US")) == "martes, 16 de junio de 2026"
    assert locales.zone(MORNING, CHICAGO, Locale.parse("en_US")) == "CDT"
