"""The names of what people can be doing, by the set that a model was taught."""

from __future__ import annotations

OTHER = "other"  # none of a set's labels; never said, but its score is
LABELS: dict[str, tuple[str, ...]] = {
    "motion": ("walking", "running", "jumping", "standing", OTHER),
    "penn15": (  # Zhang et al., "From Actemes to Action" (2013)
        "baseball pitch", "baseball swing", "bench press", "bowling", "clean and jerk",
        "golf swing", "jump rope", "jumping jacks", "pull up", "push up", "sit up", "squat",
        "strum guitar", "tennis forehand", "tennis serve",
    ),
    "ntu60": (  # Shahroudy et al., "NTU RGB+D" (2016), A1 to A60
        "drink water", "eat meal", "brush teeth", "brush hair", "drop", "pick up", "throw",
        "sit down", "stand up", "clapping", "reading", "writing", "tear up paper",
        "put on jacket", "take off jacket", "put on a shoe", "take off a shoe", "put on glasses",
        "take off glasses", "put on a hat", "take off a hat", "cheer up", "hand waving",
        "kicking something", "reach into pocket", "hopping", "jump up", "phone call",
        "play with phone", "type on a keyboard", "point to something", "taking a selfie",
        "check time", "rub two hands", "nod head", "shake head", "wipe face", "salute",
        "put palms together", "cross hands in front", "sneeze or cough", "staggering",
        "falling down", "headache", "chest pain", "back pain", "neck pain", "nausea",
        "fan self", "punch someone", "kick someone", "push someone", "pat someone's back",
        "point finger at someone", "hugging", "give something to someone",
        "touch someone's pocket", "handshaking", "walking towards someone",
        "walking apart from someone",
    ),
}  # fmt: skip
KINETICS = "kinetics400"


def named(label_set: str) -> tuple[str, ...]:
    """Name the labels of a set; those of Kinetics are torchvision's, which is imported for them."""
    if label_set == KINETICS:
        from torchvision.models.video import R3D_18_Weights

        return tuple(R3D_18_Weights.KINETICS400_V1.meta["categories"])
    return LABELS[label_set]
