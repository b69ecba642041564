"""Turn collections of video into tables about the people in them."""
