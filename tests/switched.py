"""How a repair's test runs twice: with the repair, and with it patched away (docs/testing.md, Repairs)."""

import pytest

both = pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
