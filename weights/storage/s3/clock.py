"""Compares the store's clock with ours, since signatures are valid only if both agree."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from weights.errors import ClockSkewed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Stores refuse requests with a larger clock difference, and may refuse signed URLs.
MOST = timedelta(minutes=15)


class StoreClock:
    """How far the store's clock is ahead of ours, from the Date of each response."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def watch(self, client: "S3Client") -> None:
        """Read the Date of every response to the client, including errors."""
        client.meta.events.register("after-call.s3", self._read)

    def _read(self, parsed: dict[str, Any], **_: Any) -> None:
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date:
            self.ahead = parsedate_to_datetime(date) - datetime.now(UTC)

    @property
    def is_skewed(self) -> bool:
        return abs(self.ahead) > MOST

    def demand_agreement(self) -> None:
        """Raise ClockSkewed if the clocks differ by more than MOST."""
        if self.is_skewed:
            minutes = round(abs(self.ahead).total_seconds() / 60)
            raise ClockSkewed(
                f"the clock of this machine is {minutes} minutes"
                f" {'behind' if self.ahead > timedelta() else 'ahead of'} the store's, so the store"
                " refuses what it signs; correct it: timedatectl set-ntp true"
            )
