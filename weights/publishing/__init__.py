"""Publishing: intake, revisions, branches and tags, lint, withdrawal, demo checkpoints."""
