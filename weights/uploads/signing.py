"""Signed, expiring URLs of uploads: the Hub's clients send no token with the bytes.

Each URL permits one act on one object, for one person and one checkpoint. It is signed with the
keys of links and its own salt, so that no other signature of the portal is valid for it. It also
names the token that requested it, which is checked again at each use.
"""

import time
from dataclasses import astuple, dataclass
from datetime import timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from weights.catalogue.models import Checkpoint
from weights.errors import AddressRefused, GateRefused
from weights.gate.refusals import Refusal

_SALT = "weights.uploads"
#: URLs live as long as uploads.
LIFETIME = timedelta(hours=24)
#: Acts: send the whole object, and complete a multipart upload. An act from 1 is a part's number.
WHOLE, COMPLETION = 0, -1


@dataclass(frozen=True)
class Claim:
    """What a URL permits: `act` is a part's number, WHOLE or COMPLETION; `size` in bytes."""

    person_id: int
    token_id: int
    checkpoint_id: int
    sha256: str
    size: int
    act: int
    #: Unix time.
    expires: int


def sign(claim: Claim) -> str:
    """The signed claim, for a query string."""
    return _signer().sign_object(astuple(claim))


def read(text: str, sha256: str, act: int) -> Claim:
    """Verify the claim of a URL for this object and act.

    Raises AddressRefused for an altered claim or one for something else, and GateRefused for an
    expired one.
    """
    try:
        claim = Claim(*_signer().unsign_object(text))
    except BadSignature as error:
        message = "the signature of this URL is not valid; run the same command again"
        raise AddressRefused(message) from error
    if (claim.sha256, claim.act) != (sha256, act):
        message = "this URL was signed for another object or another part"
        raise AddressRefused(message)
    if claim.expires <= time.time():
        message = "this URL has expired; run the same command again for a new one"
        raise GateRefused(Refusal.LINK_EXPIRED, message)
    return claim


def url(claim: Claim, checkpoint: Checkpoint) -> str:
    """The absolute URL of a claim."""
    names = {WHOLE: "uploads:object", COMPLETION: "uploads:completion"}
    parts = [checkpoint.org, checkpoint.name, claim.sha256]
    if claim.act > 0:
        parts.append(str(claim.act))
    path = reverse(names.get(claim.act, "uploads:part"), args=parts)
    return f"{settings.PUBLIC_URL}{path}?claim={sign(claim)}"


def _signer() -> Signer:
    newest, *older = settings.LINK_KEYS.values()
    return Signer(key=newest, fallback_keys=[*older], salt=_SALT)
