"""Segment an image with the trained U-Net."""

from collections.abc import Callable

import numpy as np
import torch
from config import NUM_CLASSES, SIZE
from models.unet_torch import UNet
from numpy.typing import ArrayLike
from torch import Tensor, nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def channels_first(images: ArrayLike) -> np.ndarray:
    """Move the channel axis from the end to where PyTorch wants it."""
    return np.moveaxis(np.asarray(images), -1, 1)


def channels_last(images: np.ndarray) -> np.ndarray:
    """Move the channel axis to the end."""
    return np.moveaxis(images, 1, -1)


def to_tensor(array: ArrayLike, dtype: torch.dtype = torch.float32) -> Tensor:
    """Copy an array, a list or a data frame into a tensor."""
    return torch.tensor(np.ascontiguousarray(array), dtype=dtype)


@torch.inference_mode()
def predict(
    model: nn.Module,
    x: ArrayLike,
    activation: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """Return the model's outputs as an array; the model's mode stays as it was."""
    was_training = model.training
    model.eval()
    batches = [model(batch.to(device)) for batch in to_tensor(x).split(batch_size)]
    model.train(was_training)
    outputs = torch.cat(batches)
    if activation is not None:
        outputs = activation(outputs)
    return outputs.cpu().numpy()


unet = UNet(num_classes=NUM_CLASSES).to(device)
unet.load_state_dict(torch.load("unet.pt", map_location=device, weights_only=True))
image = np.random.default_rng(1).random((1, SIZE, SIZE, 3)).astype("float32")
print(
    channels_last(predict(unet, channels_first(image), nn.Softmax(dim=1)))
    .argmax(axis=-1)
    .shape
)
