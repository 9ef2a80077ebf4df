"""What is handed out to be run elsewhere; nothing here imports it."""
