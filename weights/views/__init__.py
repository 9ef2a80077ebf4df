"""The pages of what is published: thin doors to the records, the gate and `standing`."""
