"""VGG16 and VGG19."""

from __future__ import annotations

from transpiler.applications.base import Application, Build, Net, Settings, kernels_file, named
from transpiler.graph.keras import Tensor

_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_FILTERS = (64, 128, 256, 512, 512)


def _builder(blocks: tuple[int, ...]) -> Build:
    def build(net: Net, x: Tensor, settings: Settings) -> Tensor:
        for number, (filters, convolutions) in enumerate(zip(_FILTERS, blocks, strict=True), 1):
            for at in range(1, convolutions + 1):
                name = f"block{number}_conv{at}"
                x = net("Conv2D", x, filters, (3, 3), activation="relu", padding="same", name=name)
            x = net("MaxPooling2D", x, (2, 2), strides=(2, 2), name=f"block{number}_pool")
        if not settings.include_top:
            return net.pooled(x, settings)
        x = net("Flatten", x, name="flatten")
        x = net("Dense", x, 4096, activation="relu", name="fc1")
        x = net("Dense", x, 4096, activation="relu", name="fc2")
        return net.classified(x, settings)

    return build


NETWORKS = {
    name.upper(): Application(_builder(blocks), kernels_file(name), named(name)) for name, blocks in _BLOCKS.items()
}
