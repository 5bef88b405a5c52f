"""Runs programs under Keras in a process of its own, for another backend: stdin JSON → an .npz file."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    job: dict[str, Any] = json.load(sys.stdin)
    os.environ["KERAS_BACKEND"] = job["backend"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np
    from keras.src.backend.common import dtypes

    from tests.conformance.direct import redraw

    keras.config.set_floatx("float64")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # the torch backend would compute in float32 in between
    arrays: dict[str, Any] = {}
    for number, program in enumerate(job["programs"]):
        print(program["source"], flush=True)  # shown where Keras itself fails
        keras.utils.clear_session(free_memory=False)
        scope: dict[str, Any] = {}
        exec(program["source"], scope)
        model = scope["model"]
        redraw(model, np.random.default_rng(0))
        rng = np.random.default_rng(number)
        inputs = [rng.normal(size=shape) for shape in program["inputs"]]
        output = model(inputs if len(inputs) > 1 else inputs[0], training=False)
        arrays[f"{number}/out"] = keras.ops.convert_to_numpy(output)
        for layer in model.layers:
            for variable in layer.variables:
                arrays[f"{number}/w/{layer.name}/{variable.name}"] = keras.ops.convert_to_numpy(variable.value)
        for place, value in enumerate(inputs):
            arrays[f"{number}/in/{place}"] = value
    np.savez(job["path"], **arrays)


if __name__ == "__main__":
    main()
