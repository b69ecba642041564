"""What people do, from their joints in space: the classifier that comes along."""
