"""What a reviewer asks of every application before deciding; the answers stay with the decision."""

#: key -> question, in the order of the screen.
QUESTIONS = {
    "identity": "Is it clear who asks?",
    "affiliation": "Does the address belong to the organisation?",
    "purpose": "Is the purpose research, and named?",
    "commercial": "Is there no commercial use?",
    "storage": "Is it said where the weights are kept and who reads them?",
    "deletion": "Is it said how they are deleted?",
}
ANSWERS = {"yes": "Yes", "no": "No", "unknown": "Cannot tell"}
