"""My checkpoints: the pages on which release owners create, edit, publish and withdraw."""
