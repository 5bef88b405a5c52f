"""A small U-Net."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks_torch import WIDTH


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose running variance follows the biased variance of the batch, as in Keras."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            variance, mean = torch.var_mean(
                x, [axis for axis in range(x.dim()) if axis != 1], correction=0
            )
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
        return F.batch_norm(
            x, None, None, self.weight, self.bias, training=True, eps=self.eps
        )


def init_weights(module: nn.Module) -> None:
    """Draw the initial weights of a layer as Keras does."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class UNet(nn.Module):
    """Convolutional network with four convolutions, returning logits.

    Expects images in channels-first layout, ``(N, 3, 8, 8)``.
    """

    def __init__(self, num_classes: int, width: int = WIDTH) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, width, kernel_size=3, padding=1),
            BatchNorm2d(width, eps=1e-3, momentum=0.01),
            nn.ReLU(),
        )
        self.pool = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(width, width * 2, kernel_size=3, padding=1)
        self.bn1 = BatchNorm2d(width * 2, eps=1e-3, momentum=0.01)
        self.upsample = nn.Upsample(scale_factor=2)
        self.conv2 = nn.Conv2d(width * 2 + width, width, kernel_size=3, padding=1)
        self.bn2 = BatchNorm2d(width, eps=1e-3, momentum=0.01)
        self.conv3 = nn.Conv2d(width, num_classes, kernel_size=1)
        self.apply(init_weights)

    def forward(self, inputs: Tensor) -> Tensor:
        down = self.down(inputs)
        x = self.pool(down)
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.upsample(x)
        x = torch.cat([x, down], dim=1)
        x = F.relu(self.bn2(self.conv2(x)))
        return self.conv3(x)
