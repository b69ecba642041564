"""MoveNet: everybody in a picture (MultiPose), and one person's joints (Thunder, Lightning)."""
