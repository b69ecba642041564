"""torchvision's R-CNNs as detectors of people: boxes, and joints from the one that gives them."""
