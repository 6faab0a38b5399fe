"""What all tests share: how many examples Hypothesis makes up.

`--hypothesis-profile thorough` looks at many more histories, for minutes, not seconds. CI takes the same examples at
every run: what it refuses is the change's doing, and chance explores where somebody looks on.
"""

import os

from hypothesis import settings

settings.register_profile("thorough", max_examples=5_000)
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")
