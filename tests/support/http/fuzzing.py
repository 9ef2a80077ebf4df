"""How many inputs the fuzz tests try: a few, always the same, or as many as `make fuzz` asks."""

import os

from hypothesis import HealthCheck, settings

#: Set by `make fuzz`: how many inputs to try.
ASKED = "FUZZ_EXAMPLES"


def examples(usual: int) -> settings:
    """Settings of a test that tries `usual` inputs in the suite.

    With FUZZ_EXAMPLES in the environment it tries that many instead, other ones each time.
    """
    asked = os.environ.get(ASKED)
    return settings(
        max_examples=int(asked or usual),
        derandomize=not asked,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
