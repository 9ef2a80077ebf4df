"""The checklist of a reviewer; the answers are stored with the decision."""

#: key -> question, in the order of the screen.
QUESTIONS = {
    "identity": "Is the applicant clearly identified?",
    "affiliation": "Does the address belong to the organisation?",
    "purpose": "Is a research purpose named?",
    "commercial": "Is there no commercial use?",
    "storage": "Does the plan state where the weights are stored and who can read them?",
    "deletion": "Does the plan state how the weights are deleted?",
}
ANSWERS = {"yes": "Yes", "no": "No", "unknown": "Cannot tell"}
