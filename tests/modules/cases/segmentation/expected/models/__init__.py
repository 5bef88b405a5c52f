"""Models."""

from .unet_torch import UNet

__all__ = ["UNet"]
