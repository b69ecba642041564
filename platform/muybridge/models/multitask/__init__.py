"""A person's joints and what they do, together, from a clip: Luvizon's multi-task network."""
