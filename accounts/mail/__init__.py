"""Mail: messages, the outbox, delivery."""
