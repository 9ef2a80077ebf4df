"""Review: queue, evidence, decisions, reasons and the reviewers' desk in the admin."""
