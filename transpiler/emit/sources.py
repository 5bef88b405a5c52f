"""Data sets and loaders in the output: pipelines of samples, and the batches that training takes from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arrays import Arrays
from transpiler.emit.losses import Loss
from transpiler.emit.plan import Needs
from transpiler.graph.keras import Model
from transpiler.graph.program import Action, Source
from transpiler.rules.sources import DTYPES, FASTER_ONLY, FROM_ARRAYS, ON_SAMPLES, SEQUENCES, STEPS, ZIP

_DATASET = "tensorflow.data.Dataset."


def is_source_action(action: Action) -> bool:
    """Whether an action makes or changes a data set, or works on its samples."""
    return action.symbol.startswith(_DATASET) or action.symbol in SEQUENCES or action.symbol in ON_SAMPLES


def render_source(action: Action, texts: Mapping[str, str], receiver: str) -> str:
    """What stands in the place of such an action."""
    symbol = action.symbol
    if symbol in SEQUENCES:
        return "torch.utils.data.Dataset"
    if symbol in ON_SAMPLES:
        return _on_sample(action, texts)
    if symbol == FROM_ARRAYS:
        if isinstance(action.args["tensors"], dict):
            raise Refusal("KT302", "data sets of dicts are not translated")
        return f"<from_arrays>({texts['tensors']})"
    if symbol == ZIP:
        inner = texts["datasets"].strip()
        return f"<zip_data>({inner[1:-1].strip().rstrip(',')})" if inner[0] in "([" else f"<zip_data>(*{inner})"
    name = symbol.removeprefix(_DATASET)
    return receiver if name in FASTER_ONLY else _step(action, name, texts, receiver)


def _step(action: Action, name: str, texts: Mapping[str, str], receiver: str) -> str:
    """``dataset.batch(32)`` and its like."""
    if action.args.get("reshuffle_each_iteration") is False:
        raise Refusal("KT302", "`reshuffle_each_iteration=False` is not translated")
    kept = {"shuffle": 1, "batch": 2, "map": 1}.get(name, 1)
    names = [p.name for p in STEPS[name][:kept]]
    shown = [texts[key] if key != "drop_remainder" else f"drop_remainder={texts[key]}" for key in names if key in texts]
    return f"{receiver}.{name}({', '.join(shown)})"


def _on_sample(action: Action, texts: Mapping[str, str]) -> str:
    params, template = ON_SAMPLES[action.symbol]
    shown = dict(texts)
    if "dtype" in shown:
        dtype = action.args["dtype"]
        shown["dtype"] = DTYPES[dtype.name if hasattr(dtype, "name") else f"tensorflow.{dtype}"]
    first = params[0].name
    if not shown[first].isidentifier():
        shown[first] = f"({shown[first]})"
    if any(p.name not in shown for p in params if "{" + p.name + "}" in template):
        raise Refusal("KT302", f"`{action.symbol}` is not translated with these arguments")
    return template.format(**shown)


class Loaders:
    """Writes what stands for the data of ``fit`` and ``evaluate`` where training works on loaders of batches."""

    def __init__(self, needs: Needs, arrays: Arrays) -> None:
        self.needs = needs
        self.arrays = arrays

    def data(self, action: Action, texts: Mapping[str, str], losses: list[Loss], *, training: bool) -> str:
        """The loader of what is trained on, or evaluated."""
        value = action.args.get("x")
        weights = texts.get("sample_weight") if action.args.get("sample_weight") is not None else None
        by_class = texts.get("class_weight") if action.args.get("class_weight") is not None else None
        steps = action.args.get("steps_per_epoch" if training else "steps")
        shuffles = action.args.get("shuffle", True) if training else False
        shuffle = texts["shuffle"] if training and "shuffle" in texts and shuffles is not True else str(training)
        if isinstance(value, Source):
            if weights is not None:
                raise Refusal("KT301", "`sample_weight` goes with arrays only")
            loader = self.batches(action, value, texts["x"], losses, shuffle=shuffle, by_class=by_class)
        else:
            if by_class is not None:
                weights = f"<class_weights>({texts['y']}, {by_class})"
            loader = self.of_arrays(action, (value, action.args.get("y")), (texts["x"], texts["y"]), losses, weights,
                                    texts.get("batch_size"), shuffle)  # fmt: skip
        if steps is None:
            once = action.args.get("epochs", 1) == 1
            if isinstance(value, Source) and value.kind == "generator" and training and not once:
                raise Refusal("KT301", "training on a generator needs `steps_per_epoch`")
            return loader
        return f"<Steps>({loader}, {texts['steps_per_epoch' if training else 'steps']})"

    def validation(self, action: Action, texts: Mapping[str, str], losses: list[Loss]) -> str:
        """The loader of the validation data of a ``fit``."""
        value, text = action.args["validation_data"], texts["validation_data"]
        if isinstance(value, Source):
            loader = self.batches(action, value, text, losses, shuffle="False", by_class=None)
        elif isinstance(value, (tuple, list)) and len(value) in (2, 3):
            parts = self.arrays.split(value, text)
            size = texts.get("validation_batch_size", texts.get("batch_size"))
            weights = parts[2] if len(parts) == 3 else None
            loader = self.of_arrays(action, (value[0], value[1]), (parts[0], parts[1]), losses, weights, size, "False")
        else:
            raise Refusal("KT301", "`validation_data` is not known to be a tuple of arrays or a data set")
        if action.args.get("validation_steps") is None:
            return loader
        return f"<Steps>({loader}, {texts['validation_steps']}, restart=True)"

    def of_arrays(
        self, action: Action, values: tuple[Any, Any], texts: tuple[str, str], losses: list[Loss],
        weights: str | None, batch_size: str | None, shuffle: str,
    ) -> str:  # fmt: skip
        """A loader over arrays."""
        model = _model(action)
        x = self.arrays.inputs(model, values[0], texts[0])
        y = self.arrays.targets(action, model, values[1], texts[1], losses)
        shown = [x, y, *([weights or "None"] if self.needs.weights else []), batch_size or "32"]
        if shuffle != "False":
            shown.append(f"shuffle={shuffle}")
        return f"<make_loader>({', '.join(shown)})"

    def batches(
        self, action: Action, source: Source, text: str, losses: list[Loss], *, shuffle: str, by_class: str | None
    ) -> str:
        """A loader over batches that the program brings."""
        model = _model(action)
        x, y, weighted = source.parts()
        names = ["x", "y", *(["weights"] if weighted else [])]
        parts = [self.arrays.inputs(model, x, "x"), self.arrays.targets(action, model, y, "y", losses), *names[2:]]
        if source.kind == "pipeline":
            parts = [_on_tensors(part) for part in parts]
        if by_class is not None:
            parts = [*parts[:2], f"<class_weights>(y, {by_class})"]
        shown = [text]
        if parts != names:
            shown.append(f"lambda {', '.join(names)}: ({', '.join(parts)})")
        if source.kind != "sequence":
            return f"<Batches>({', '.join(shown)})"
        if shuffle != "False":
            shown.append(f"shuffle={shuffle}")
        return f"<SequenceBatches>({', '.join(shown)})"

    def inputs(self, model: Model, source: Source, text: str, steps: str | None = None) -> tuple[str, str]:
        """For predictions: a loop over the source's inputs, and the text of one batch of them."""
        element = source.element
        if source.kind == "sequence":
            name, once = (text, "") if text.isidentifier() else ("source", f"for source in [{text}] ")
            text = f"({name}[index] {once}for index in range(len({name})))"
        if steps is not None:
            text = f"itertools.islice({text}, {steps})"
        if isinstance(element, (tuple, list)) and len(element) in (2, 3):
            return f"for x, *_ in {text}", self.arrays.inputs(model, element[0], "x")
        if element is None or not hasattr(element, "shape"):
            raise Refusal("KT302", "what a batch of this data set holds is not known")
        return f"for x in {text}", self.arrays.inputs(model, element, "x")


def _on_tensors(text: str) -> str:
    """What is done to an array, done to a tensor by itself."""
    text = re.sub(r"np\.reshape\((\w+), \(([^()]*)\)\)", r"\1.reshape(\2)", text)
    text = re.sub(r"np\.reshape\((\w+), ([^()]*)\)", r"\1.reshape(\2)", text)
    text = re.sub(r"np\.expand_dims\((\w+), axis=-1\)", r"\1.unsqueeze(-1)", text)
    return re.sub(r"np\.squeeze\((\w+), axis=-1\)", r"\1.squeeze(-1)", text)


def _model(action: Action) -> Model:
    assert action.model is not None
    return action.model
