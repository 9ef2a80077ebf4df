"""Who may send bytes: the person a signed URL was issued to, while they may publish."""

import time

from accounts.api_tokens.models import ApiToken
from accounts.audit import request_context
from weights.errors import GateRefused, UploadRefused
from weights.gate.caller import Caller, holder_of
from weights.gate.refusals import Refusal
from weights.publishing.drafts import owners
from weights.uploads import signing
from weights.uploads.models import Upload
from weights.uploads.signing import Claim


def claim_of(upload: Upload, caller: Caller, act: int) -> Claim:
    """The claim that allows one act of an upload with the caller's token for a day."""
    assert caller.token is not None  # uploads are requested with a token only
    assert upload.checkpoint_id is not None  # its checkpoint exists
    return Claim(
        person_id=upload.person_id,
        token_id=caller.token.pk,
        checkpoint_id=upload.checkpoint_id,
        sha256=upload.sha256,
        size=upload.size,
        act=act,
        expires=int(time.time() + signing.LIFETIME.total_seconds()),
    )


def upload_of(claim: Claim, repo_id: str) -> Upload:
    """The upload that a claim is about, if its token and person may still publish.

    Raises GateRefused for an expired or revoked token, NotAllowed for a lost role, and
    UploadRefused if the upload was deleted, restarted with another size, or belongs to another
    checkpoint.
    """
    token = ApiToken.objects.active().select_related("user").filter(pk=claim.token_id).first()
    if token is None or token.user_id != claim.person_id or not token.user.is_active:
        message = "the token that requested this URL is no longer valid"
        raise GateRefused(Refusal.LINK_REVOKED, message)
    request_context.mark_authenticated()
    upload = (
        Upload.objects.live()
        .select_related("checkpoint__tier")
        .filter(
            person=claim.person_id,
            checkpoint=claim.checkpoint_id,
            sha256=claim.sha256,
            size=claim.size,
        )
        .first()
    )
    if upload is None or upload.checkpoint is None or upload.checkpoint.repo_id != repo_id:
        raise UploadRefused("this upload no longer exists; run the same command again")
    owners.require_owner(holder_of(token), upload.checkpoint)
    upload.person = token.user
    return upload
