"""Refusals of Xet uploads."""

from weights.errors import UploadRefused, WeightsCode


class MalformedXet(UploadRefused):
    """A xorb or shard that breaks its format, or whose hashes do not match; says which."""

    code = WeightsCode.XET_MALFORMED


class XorbUnknown(UploadRefused):
    """A shard names a xorb that this person has not sent to this checkpoint lately."""

    code = WeightsCode.XET_XORB_UNKNOWN

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"you have not uploaded the xorb {digest} to this checkpoint in the last hours; run"
            " the same command again, and if that fails, delete ~/.cache/huggingface/xet"
        )
