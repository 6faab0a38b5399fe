"""What all tests share: how many examples Hypothesis makes up.

`--hypothesis-profile thorough` looks at many more histories, for minutes, not seconds; `mutants` stops at the first
that fails, however long it is. CI takes the same examples at every run: what it refuses is the change's doing, and
chance explores where somebody looks on.
"""

import os

from hypothesis import Phase, settings

settings.register_profile("thorough", max_examples=5_000)
settings.register_profile("ci", derandomize=True)
settings.register_profile("mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
if os.environ.get("CI") == "true":
    settings.load_profile("ci")
