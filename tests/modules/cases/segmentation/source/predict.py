"""Segment an image with the trained U-Net."""

import numpy as np

from config import NUM_CLASSES, SIZE
from models import build_unet

unet = build_unet((SIZE, SIZE, 3), NUM_CLASSES)
unet.load_weights("unet.weights.h5")
image = np.random.default_rng(1).random((1, SIZE, SIZE, 3)).astype("float32")
print(unet.predict(image).argmax(axis=-1).shape)
