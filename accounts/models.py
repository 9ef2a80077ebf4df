"""The models of every capability; Django imports this module."""

from accounts.api_tokens.models import ApiToken
from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application, ApplicationSnapshot
from accounts.applications.models.form import FormVersion, Question
from accounts.audit.models import (
    AuditEvent,
    CompromisedAuditKey,
    HeadCopy,
    SealBatch,
    SealedNode,
    SealedRow,
    SignedHead,
)
from accounts.background.models.failed_item import FailedItem
from accounts.background.models.heartbeat import Heartbeat
from accounts.change_requests.models import ChangeRequest
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.privacy.models import DataExport, HolderRecord
from accounts.review.models.conflict import Conflict
from accounts.review.models.consultation import Consultation
from accounts.review.models.decision import Decision
from accounts.review.models.profile_look import ProfileLook
from accounts.review.models.reason_text import ReasonText
from accounts.review.models.remark import Remark
from accounts.roles.models import RoleAssignment
from accounts.tiers.models.licence import Licence, LicenceVersion
from accounts.tiers.models.tier import Tier
from accounts.tiers.models.tier_change import TierChange
from accounts.users.models import User
