"""Refusals of Xet uploads."""

from weights.errors import UploadRefused, WeightsCode


class MalformedXet(UploadRefused):
    """A xorb or shard with an invalid format or wrong hashes; the message says which."""

    code = WeightsCode.XET_MALFORMED


class XorbUnknown(UploadRefused):
    """A shard names a xorb that this person has not recently sent to this checkpoint."""

    code = WeightsCode.XET_XORB_UNKNOWN

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"you have not uploaded the xorb {digest} to this checkpoint recently; run"
            " the same command again, and if that fails, delete ~/.cache/huggingface/xet"
        )
