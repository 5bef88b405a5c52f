"""The networks of ``keras.applications``, layer by layer as Keras builds them.

Each family is a file with a table ``NETWORKS``. A network is a function that makes layers through a
:class:`~transpiler.applications.base.Net`; it knows nothing of how they are kept.
"""

from __future__ import annotations

from transpiler.applications import (
    densenet,
    efficientnet,
    efficientnet_v2,
    inception,
    inception_resnet,
    mobilenet,
    mobilenet_v3,
    resnet,
    vgg,
    xception,
)
from transpiler.applications.base import Application, Net, Settings, check_settings, checked_shape

PREFIX = "keras.applications."
_FAMILIES = (
    vgg, resnet, inception, inception_resnet, mobilenet, mobilenet_v3, xception, densenet, efficientnet,
    efficientnet_v2,
)  # fmt: skip

APPLICATIONS: dict[str, Application] = {
    f"{PREFIX}{name}": network for family in _FAMILIES for name, network in family.NETWORKS.items()
}

__all__ = ["APPLICATIONS", "PREFIX", "Application", "Net", "Settings", "check_settings", "checked_shape"]
