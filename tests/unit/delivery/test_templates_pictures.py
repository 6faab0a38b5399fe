"""Pictures of messages: whole pages, on a screen's width, and what does not fit is told."""

import shutil
import struct
from pathlib import Path

import pytest

from app.delivery.render import Renderer
from app.dev import pictures
from app.dev.pictures import PictureError, camera
from app.dev.previews import WIDTHS, a_notification
from app.triggers import REGISTRY


@pytest.mark.skipif(not any(map(shutil.which, pictures.NAMES)), reason="there is no Chromium here")
async def test_a_picture_is_the_whole_page_and_tells_what_is_too_wide(tmp_path: Path) -> None:
    trigger = "invoice_delinquent_for_days"
    message, wide = tmp_path / "message.html", tmp_path / "wide.html"
    message.write_text(Renderer().render(a_notification(trigger), REGISTRY[trigger].variables).html, encoding="utf-8")
    wide.write_text('<meta name="viewport" content="width=device-width"><p style="width:900px">x', encoding="utf-8")
    async with camera() as taking:
        sizes = {}
        for screen, width in WIDTHS.items():
            picture = await taking.take(message.as_uri(), width)
            assert picture.overflow == 0
            sizes[screen] = struct.unpack(">II", picture.png[16:24])  # of the PNG's header: width, height
        assert (await taking.take(wide.as_uri(), WIDTHS["phone"])).overflow > 0
    assert {screen: width for screen, (width, _) in sizes.items()} == WIDTHS
    assert sizes["phone"][1] > sizes["desktop"][1] > 600


async def test_without_chromium_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "NAMES", ("no-such-browser",))
    with pytest.raises(PictureError, match="apt-get install chromium"):
        async with camera():
            pass
