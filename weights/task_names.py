"""The names of the Celery tasks of weights."""

from accounts.background.task_names import TaskName


class WeightsTask(TaskName):
    VERIFY_BLOB = "weights.verify_blob"
    INSPECT_BLOB = "weights.inspect_blob"
    HASH_UPLOAD = "weights.hash_upload"
    SIGN_MANIFEST = "weights.sign_manifest"
    ISSUE_CHECKPOINT_LINK = "weights.issue_checkpoint_link"
    ISSUE_LINKS_OF_GRANT = "weights.issue_links_of_grant"
    TELL_RECALL = "weights.tell_recall"
    MAKE_EXPORT = "weights.make_export"
    SWEEP = "weights.sweep"
    SCRUB = "weights.scrub"
    TIDY = "weights.tidy"
