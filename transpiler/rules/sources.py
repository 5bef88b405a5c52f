"""Data that comes in batches: sequences of the program's own, and what data sets can do."""

from __future__ import annotations

from transpiler.rules.base import Param, params

SEQUENCES = frozenset(["keras.utils.Sequence", "keras.utils.PyDataset"])
_DATASET = "tensorflow.data.Dataset"
FROM_ARRAYS = f"{_DATASET}.from_tensor_slices"
ZIP = f"{_DATASET}.zip"

# The methods of a data set that have a twin, or none because they only make things faster.
STEPS: dict[str, tuple[Param, ...]] = {
    "shuffle": params("buffer_size, seed=None, reshuffle_each_iteration=None, name=None"),
    "batch": params("batch_size, drop_remainder=False, num_parallel_calls=None, deterministic=None, name=None"),
    "repeat": params("count=None, name=None"),
    "take": params("count, name=None"),
    "skip": params("count, name=None"),
    "map": params("map_func, num_parallel_calls=None, deterministic=None, name=None"),
    "concatenate": params("dataset, name=None"),
    "prefetch": params("buffer_size, name=None"),
    "cache": params("filename='', name=None"),
    "with_options": params("options, name=None"),
}
# What makes batches of images for training, by the method of the generator; the rest of the arguments have one value.
_SAVED = "save_to_dir=None, save_prefix='', save_format='png'"
FLOWS: dict[str, tuple[Param, ...]] = {
    "flow": params(
        "x, y=None, batch_size=32, shuffle=True, sample_weight=None, seed=None, "
        f"{_SAVED}, ignore_class_split=False, subset=None"
    ),
    "flow_from_directory": params(
        "directory, target_size=(256, 256), color_mode='rgb', classes=None, class_mode='categorical', batch_size=32, "
        f"shuffle=True, seed=None, {_SAVED}, follow_links=False, subset=None, interpolation='nearest', "
        "keep_aspect_ratio=False"
    ),
}
FLOWS_REFUSED = frozenset(
    "sample_weight save_to_dir save_prefix save_format ignore_class_split follow_links keep_aspect_ratio".split()
)
BATCH_ATTRIBUTES = frozenset("class_indices classes num_classes filenames filepaths samples n batch_size reset".split())
FASTER_ONLY = frozenset(["prefetch", "cache", "with_options"])

# Functions of TensorFlow on one sample: parameters, and what stands for them on a tensor of PyTorch.
ON_SAMPLES: dict[str, tuple[tuple[Param, ...], str]] = {
    "tensorflow.cast": (params("x, dtype, name=None"), "{x}.to({dtype})"),
    "tensorflow.expand_dims": (params("input, axis, name=None"), "{input}.unsqueeze({axis})"),
    "tensorflow.reshape": (params("tensor, shape, name=None"), "{tensor}.reshape({shape})"),
    "tensorflow.one_hot": (params("indices, depth, name=None"), "F.one_hot({indices}.long(), {depth}).float()"),
}
DTYPES = {
    f"tensorflow.{name}": f"torch.{name}"
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
}
