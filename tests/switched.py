"""How a repair's test runs twice: with the repair, and with it patched away (docs/testing.md, Repairs)."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

both = pytest.mark.parametrize("on", [True, False], ids=["on", "off"])


def raising(error: type[BaseException], *, so: bool) -> AbstractContextManager[Any]:
    """Expect the error where that is so."""
    return pytest.raises(error) if so else nullcontext()
