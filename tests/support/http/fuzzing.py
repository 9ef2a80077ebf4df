"""The number of inputs of a fuzz test: a few fixed ones, or as many as `make fuzz` sets."""

import os

from hypothesis import HealthCheck, settings

#: Set by `make fuzz`: the number of inputs.
ASKED = "FUZZ_EXAMPLES"


def examples(usual: int) -> settings:
    """Hypothesis settings for `usual` fixed inputs.

    With FUZZ_EXAMPLES in the environment, the test tries that many random ones instead.
    """
    wanted = os.environ.get(ASKED)
    return settings(
        max_examples=int(wanted or usual),
        derandomize=not wanted,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
