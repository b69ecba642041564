"""OpenPose (Cao et al.): everybody's joints in a picture, from heat maps and affinity fields."""
