"""Canonical names: every spelling of a Keras symbol is brought to one, ``keras.<module>.<Name>`` as Keras 3 has it."""

from __future__ import annotations

import re
from functools import lru_cache

_ROOTS = (
    "tensorflow.compat.v1.keras", "tensorflow.compat.v2.keras", "tensorflow.contrib.keras.python.keras",
    "tensorflow.contrib.keras.api.keras", "tensorflow.contrib.keras", "tensorflow.python.keras",
    "tensorflow.keras", "tf_keras", "keras.api", "keras.src", "keras.engine.keras",
)  # fmt: skip

# Modules whose public names live under another module in Keras 3.
_MODULES = {
    "keras.layers": (
        "keras.layers.core", "keras.layers.convolutional", "keras.layers.pooling", "keras.layers.normalization",
        "keras.layers.normalization.batch_normalization", "keras.layers.normalization.layer_normalization",
        "keras.layers.advanced_activations", "keras.layers.recurrent", "keras.layers.embeddings", "keras.layers.merge",
        "keras.layers.noise", "keras.layers.local", "keras.layers.wrappers", "keras.layers.merging",
        "keras.layers.cudnn_recurrent", "keras.layers.convolutional_recurrent", "keras.layers.recurrent_v2",
        "keras.layers.experimental.preprocessing", "keras.layers.experimental", "keras.layers.attention",
        "keras.layers.regularization", "keras.layers.reshaping", "keras.layers.activation", "keras.layers.rnn",
        "keras.layers.preprocessing", "keras.engine.topology", "keras.engine.base_layer", "keras.engine.input_layer",
    ),
    "keras.models": ("keras.engine.training", "keras.engine.sequential", "keras.engine.functional", "keras.engine"),
    "keras.optimizers": ("keras.optimizers.legacy", "keras.optimizer_v2", "keras.optimizers.optimizers"),
    "keras.utils": ("keras.utils.np_utils", "keras.utils.generic_utils", "keras.utils.data_utils",
                    "keras.utils.vis_utils", "keras.utils.layer_utils", "keras.utils.all_utils",
                    "keras.utils.training_utils", "keras.utils.io_utils"),
    "keras.callbacks": ("keras.callbacks.callbacks",),
    "keras.preprocessing.sequence": ("keras_preprocessing.sequence",),
}  # fmt: skip
_MODULE_OF = {old: new for new, olds in _MODULES.items() for old in olds}

_RENAMED = {
    "keras.layers.Convolution1D": "keras.layers.Conv1D",
    "keras.layers.Convolution1DTranspose": "keras.layers.Conv1DTranspose",
    "keras.layers.Convolution2DTranspose": "keras.layers.Conv2DTranspose",
    "keras.layers.Convolution3DTranspose": "keras.layers.Conv3DTranspose",
    "keras.layers.Deconv2D": "keras.layers.Conv2DTranspose", "keras.layers.Deconv3D": "keras.layers.Conv3DTranspose",
    "keras.layers.SeparableConvolution1D": "keras.layers.SeparableConv1D",
    "keras.layers.SeparableConvolution2D": "keras.layers.SeparableConv2D",
    "keras.layers.MaxPool1D": "keras.layers.MaxPooling1D", "keras.layers.MaxPool2D": "keras.layers.MaxPooling2D",
    "keras.layers.MaxPool3D": "keras.layers.MaxPooling3D", "keras.layers.AvgPool1D": "keras.layers.AveragePooling1D",
    "keras.layers.AvgPool2D": "keras.layers.AveragePooling2D",
    "keras.layers.AvgPool3D": "keras.layers.AveragePooling3D",
    "keras.layers.GlobalMaxPool1D": "keras.layers.GlobalMaxPooling1D",
    "keras.layers.GlobalMaxPool2D": "keras.layers.GlobalMaxPooling2D",
    "keras.layers.GlobalMaxPool3D": "keras.layers.GlobalMaxPooling3D",
    "keras.layers.GlobalAvgPool1D": "keras.layers.GlobalAveragePooling1D",
    "keras.layers.GlobalAvgPool2D": "keras.layers.GlobalAveragePooling2D",
    "keras.layers.GlobalAvgPool3D": "keras.layers.GlobalAveragePooling3D",
    "keras.layers.GroupQueryAttention": "keras.layers.GroupedQueryAttention",  # as its class and weight files call it
    "keras.layers.TimeDistributedDense": "keras.layers.Dense",
    "keras.layers.AtrousConv1D": "keras.layers.AtrousConvolution1D",
    "keras.layers.AtrousConv2D": "keras.layers.AtrousConvolution2D",
    "keras.layers.BatchNormalizationV1": "keras.layers.BatchNormalization",
    "keras.layers.BatchNormalizationV2": "keras.layers.BatchNormalization",
    "keras.layers.Input": "keras.Input", "keras.models.Model": "keras.Model",
    "keras.models.Sequential": "keras.Sequential", "keras.models.Input": "keras.Input",
    "keras.models.Functional": "keras.Model",
    "keras.layers.Sequential": "keras.Sequential", "keras.layers.Model": "keras.Model",
    "keras.utils.pad_sequences": "keras.preprocessing.sequence.pad_sequences",
    "keras.preprocessing.pad_sequences": "keras.preprocessing.sequence.pad_sequences",
    "keras.preprocessing.image.array_to_img": "keras.utils.array_to_img",
    "keras.preprocessing.image.img_to_array": "keras.utils.img_to_array",
    "keras.preprocessing.image.load_img": "keras.utils.load_img",
    "keras.preprocessing.image_dataset_from_directory": "keras.utils.image_dataset_from_directory",
    "keras.utils.clear_session": "keras.backend.clear_session",
    "keras.Layer": "keras.layers.Layer",
}  # fmt: skip


_TF_INITIALIZERS = {
    f"tensorflow.{prefix}{name}": cls
    for name, cls in {
        "zeros_initializer": "Zeros", "ones_initializer": "Ones", "random_normal_initializer": "RandomNormal",
        "random_uniform_initializer": "RandomUniform", "constant_initializer": "Constant",
        "truncated_normal_initializer": "TruncatedNormal", "orthogonal_initializer": "Orthogonal",
        "glorot_uniform_initializer": "GlorotUniform", "glorot_normal_initializer": "GlorotNormal",
    }.items()
    for prefix in ("", "compat.v1.")
}  # fmt: skip


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The canonical name of a dotted import path; names outside Keras and TensorFlow come back unchanged."""
    if name == "tf" or name.startswith("tf."):
        name = "tensorflow" + name[2:]
    for root in _ROOTS:
        if name == root or name.startswith(root + "."):
            name = "keras" + name[len(root) :]
            break
    if name == "keras_applications" or name.startswith("keras_applications."):
        name = "keras.applications" + name[len("keras_applications") :]
    if (start := _TF_INITIALIZERS.get(name)) is not None:
        return f"keras.initializers.{start}"
    if not (name == "keras" or name.startswith("keras.")):
        return name
    module, _, leaf = name.rpartition(".")
    if name in _MODULE_OF:
        name = _MODULE_OF[name]
    elif module in _MODULE_OF:
        name = f"{_MODULE_OF[module]}.{leaf}"
    elif match := re.match(r"keras\.applications\.[a-z_0-9]+\.([A-Z]\w*)$", name):
        name = f"keras.applications.{match[1]}"
    elif match := re.match(r"(keras\.layers|keras\.optimizers)\.[a-z_0-9.]+\.([A-Z]\w*)$", name):
        name = f"{match[1]}.{match[2]}"
    return _RENAMED.get(name, name)


# Keras 1's names keep their own meaning of positional arguments: `Convolution2D(32, 3, 3)` has a 3 by 3 kernel.
KERAS1_CLASSES = {
    "keras.layers.Convolution2D": "keras.layers.Conv2D",
    "keras.layers.Convolution3D": "keras.layers.Conv3D",
}

# The lower-case functional forms of Keras 1 and 2: `concatenate([a, b])` is `Concatenate()([a, b])`.
MERGE_FUNCTIONS = {
    f"keras.layers.{lower}": f"keras.layers.{upper}"
    for lower, upper in {
        "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "average": "Average", "maximum": "Maximum",
        "minimum": "Minimum", "concatenate": "Concatenate", "dot": "Dot",
    }.items()
}  # fmt: skip

# What Keras 1's `merge(inputs, mode=...)` and `Merge(mode=...)` became.
MERGE_MODES = {
    "sum": "keras.layers.Add", "mul": "keras.layers.Multiply", "concat": "keras.layers.Concatenate",
    "ave": "keras.layers.Average", "max": "keras.layers.Maximum", "dot": "keras.layers.Dot",
}  # fmt: skip


def is_keras(name: str) -> bool:
    """Whether a canonical name belongs to Keras or TensorFlow (so that the output cannot keep it)."""
    return name in ("keras", "tensorflow") or name.startswith(("keras.", "tensorflow."))


def snake_case(name: str) -> str:
    """``Conv2DTranspose`` → ``conv2d_transpose``, as Keras numbers its layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
