"""Settings."""

NUM_CLASSES = 3
SIZE = 8
