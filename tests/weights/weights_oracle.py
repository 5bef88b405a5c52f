"""Descriptions of real Keras models' weights, made from the models themselves: each variable is its own entry."""

from __future__ import annotations

import numpy as np

from transpiler.weights.spec import LayerEntry, ModelWeights, Source, StateEntry, Variable, walk

SUBLAYERS = {
    "Bidirectional": ("forward_layer", "backward_layer"),
    "MultiHeadAttention": ("query_dense", "key_dense", "value_dense", "output_dense"),
    "LSTM": ("cell",),
    "GRU": ("cell",),
    "SimpleRNN": ("cell",),
    "TimeDistributed": ("layer",),
}


def describe(model, explicit=()):
    """The spec of a model and the arrays that converting its file must give."""
    seen = set()
    values = {}
    layers = tuple(_entry(layer, (index,), explicit, values, seen) for index, layer in enumerate(model.layers))
    entries = []
    for place, entry in walk(layers):
        if entry.repeated:
            continue
        for index, variable in enumerate(entry.variables):
            entries.append(StateEntry("/".join((*map(str, place), variable.label)), (Source(place, index),)))
    return ModelWeights(model.name, layers, tuple(entries)), values


def _entry(layer, place, explicit, values, seen):
    repeated = id(layer) in seen
    seen.add(id(layer))
    kind = type(layer).__name__
    named = layer.name in explicit
    if kind in ("Functional", "Sequential"):
        inside = tuple(
            _entry(inner, (*place, index), explicit, values, seen) for index, inner in enumerate(layer.layers)
        )
        return LayerEntry(kind, layer.name, named, (), inside, (), layer.trainable, repeated)
    wrapped = getattr(layer, "layer", None)
    if type(wrapped).__name__ in ("Functional", "Sequential"):
        inner = (("layer", _entry(wrapped, (*place, "layer"), explicit, values, seen)),)
        return LayerEntry(kind, layer.name, named, (), (), inner, layer.trainable, repeated)
    found = list(_variables(layer))
    found.sort(key=lambda item: not item[0].trainable)
    if not repeated:
        for variable, value in found:
            values["/".join((*map(str, place), variable.label))] = value
    return LayerEntry(kind, layer.name, named, tuple(v for v, _ in found), (), (), layer.trainable, repeated)


def _variables(layer, path=()):
    subs = SUBLAYERS.get(type(layer).__name__, ())
    if not subs:
        for weight in layer.weights:
            initially = weight.name not in ("moving_mean", "moving_variance", "mean", "variance", "count")
            yield Variable(weight.name, tuple(weight.shape), initially, path), np.asarray(weight.numpy())
    for attribute in subs:
        yield from _variables(getattr(layer, attribute), (*path, attribute))


def redraw(model, seed=0):
    """Give every variable other values, so that no two arrays are alike."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape).astype(weight.dtype))


def assert_same(got, wanted):
    assert set(got) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)
