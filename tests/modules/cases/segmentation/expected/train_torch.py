"""Train the U-Net on noise and keep its weights."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from config import NUM_CLASSES, SIZE
from models.unet_torch import UNet
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def channels_first(images: ArrayLike) -> np.ndarray:
    """Move the channel axis from the end to where PyTorch wants it."""
    return np.moveaxis(np.asarray(images), -1, 1)


class KerasAdam(torch.optim.Adam):
    """Adam with epsilon outside the bias correction, ``m / (sqrt(v) + eps)``, as in the paper's fast form."""

    def __init__(
        self, params: Iterable[Tensor], eps: float = 1e-7, **options: Any
    ) -> None:
        super().__init__(params, eps=eps, **options)
        self.plain_eps = eps
        self.steps = 0

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        self.steps += 1
        for group in self.param_groups:
            group["eps"] = self.plain_eps / math.sqrt(
                1.0 - group["betas"][1] ** self.steps
            )
        return super().step(closure)


def to_tensor(array: ArrayLike, dtype: torch.dtype = torch.float32) -> Tensor:
    """Copy an array, a list or a data frame into a tensor."""
    return torch.tensor(np.ascontiguousarray(array), dtype=dtype)


def make_loader(
    x: ArrayLike,
    y: ArrayLike,
    batch_size: int,
    shuffle: bool = False,
) -> DataLoader:
    """Batch the arrays; the last batch may be smaller."""
    dataset = TensorDataset(to_tensor(x), to_tensor(y, torch.long))
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)


def train_one_epoch(
    model: nn.Module,
    loader: DataLoader,
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
) -> dict[str, float]:
    """Train for one epoch and return the mean loss per sample."""
    model.train()
    totals = {"loss": 0.0}
    for inputs, targets in loader:
        inputs, targets = inputs.to(device), targets.to(device)
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        totals["loss"] += loss.item() * inputs.size(0)
    return {name: total / len(loader.dataset) for name, total in totals.items()}


def fit(
    model: nn.Module,
    x: ArrayLike,
    y: ArrayLike,
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int = 1,
    batch_size: int = 32,
) -> dict[str, list[float]]:
    """Train for some epochs and return the course of the loss."""
    loader = make_loader(x, y, batch_size, shuffle=True)
    history: dict[str, list[float]] = {}
    for epoch in range(epochs):
        logs = train_one_epoch(model, loader, criterion, optimizer)
        for name, value in sorted(logs.items()):
            history.setdefault(name, []).append(value)
        report = " - ".join(f"{name}: {value:.4f}" for name, value in logs.items())
        print(f"Epoch {epoch + 1}/{epochs} - {report}")
    return history


rng = np.random.default_rng(0)
images = rng.random((8, SIZE, SIZE, 3)).astype("float32")
labels = rng.integers(0, NUM_CLASSES, (8, SIZE, SIZE))

model = UNet(num_classes=NUM_CLASSES).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = KerasAdam(model.parameters(), lr=0.001)
fit(model, channels_first(images), labels, criterion, optimizer, epochs=2, batch_size=4)
torch.save(model.state_dict(), "unet.pt")
