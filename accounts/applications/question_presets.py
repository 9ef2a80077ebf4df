"""Presets of custom questions that release owners can add to a tier. Plain Python, no models."""

from typing import Any

from accounts.applications.custom_questions import Kind, Step


def _question(key: str, label: str, kind: Kind, step: Step, **fields: Any) -> dict[str, Any]:
    return {"key": key, "label": label, "kind": kind, "step": step, **fields}


#: The fields of each `Question`, in the order of the form.
PRESETS: tuple[dict[str, Any], ...] = (
    _question(
        "site",
        "Your organisation's site",
        Kind.URL,
        Step.YOU,
        help_text="The page of your group or department, if it has one.",
    ),
    _question(
        "research_kind",
        "Kind of research",
        Kind.MULTI_SELECT,
        Step.PROJECT,
        choices="Interpretability\nEvaluation\nSafety and misuse\nFairness and bias\n"
        "Training and optimisation\nCompression and efficiency\nOther",
    ),
    _question(
        "outputs",
        "Expected outputs",
        Kind.MULTI_SELECT,
        Step.PROJECT,
        choices="Paper\nThesis\nSoftware\nData set\nReport\nTeaching material",
    ),
    _question(
        "funding",
        "Who funds the work?",
        Kind.TEXT,
        Step.PROJECT,
        help_text="Funder and grant number, or “none”.",
    ),
    _question(
        "ethics",
        "Ethics review",
        Kind.SELECT,
        Step.PROJECT,
        choices="Not required\nPending\nApproved",
        is_required=True,
    ),
    _question(
        "ethics_number",
        "Number of the approval",
        Kind.TEXT,
        Step.PROJECT,
        shown_if_key="ethics",
        shown_if_value="Approved",
        is_required=True,
    ),
    _question("begins", "The project begins", Kind.DATE, Step.PROJECT),
    _question("ends", "The project ends", Kind.DATE, Step.PROJECT),
    _question(
        "document",
        "Supporting document",
        Kind.FILE,
        Step.PROJECT,
        help_text="Such as an ethics approval or a letter from your institution.",
    ),
    _question(
        "hardware",
        "Hardware",
        Kind.HARDWARE,
        Step.PLAN,
        help_text="The machines that will run the weights. Reviewers may warn you about them.",
    ),
)
