"""What a program's training needs, decided once over all of its actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arguments import plain_number
from transpiler.emit.callbacks import CallbackNeeds
from transpiler.emit.losses import CROSSENTROPIES, Output, standard_name
from transpiler.emit.metrics import resolve_metric, works_on_logits
from transpiler.graph.keras import ApiObject, FunctionRef, Layer, Model, Node, Tensor
from transpiler.graph.program import Action, Array, Compiled, Program, Source

TRAINS = ("fit", "train_on_batch")
MEASURES = ("evaluate", "test_on_batch")
USES = (*TRAINS, *MEASURES)
TAKE_DATA = (*USES, "predict", "predict_on_batch", "predict_classes", "predict_proba", "__call__")


def method(action: Action) -> str:
    """The method of an action on a model, or ""."""
    return action.symbol.removeprefix("keras.Model.") if action.symbol.startswith("keras.Model.") else ""


def layers_of(model: Model) -> Iterable[Layer]:
    """Every layer of a model and of the models in it."""
    for node in model.nodes:
        if isinstance(node.target, Layer):
            yield node.target
        elif isinstance(node.target, Model):
            yield from layers_of(node.target)


def _configs(layer: Layer) -> Iterable[Mapping[str, Any]]:
    yield layer.config
    for value in layer.config.values():
        if isinstance(value, Layer):
            yield from _configs(value)
        elif isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, Layer):
                    yield from _configs(item)


def has_option(model: Model, ending: str) -> bool:
    """Whether a layer has an option whose name ends so: ``_regularizer``, ``_constraint``."""
    return any(
        key.endswith(ending) and value is not None
        for layer in layers_of(model)
        for config in _configs(layer)
        for key, value in config.items()
    )


def output_names(model: Model) -> list[str]:
    """Keras' names of the outputs: the keys of a dict, else the layers that made them."""
    if isinstance(model.outputs, Mapping):
        return list(model.outputs)
    names: list[str] = []
    for tensor in model.output_tensors():
        target = tensor.node.target if tensor.node is not None else None
        name = target.name if isinstance(target, (Layer, Model)) else (tensor.name or "output")
        names.append(name)
    return names


def by_output(value: Any, names: list[str]) -> list[Any] | None:
    """One value for each output, from a list or a dict by name; None where neither fits."""
    if isinstance(value, Mapping):
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        return list(value)
    return None


def sparse_targets(action: Action | None, index: int, output: Tensor, count: int) -> bool | None:
    """Whether the targets that an action brings are class numbers; None if their shape is unknown."""
    value = _targets(action) if action is not None else None
    if count > 1:
        value = value[index] if isinstance(value, (list, tuple)) and len(value) == count else None
    shape = shape_of(value)
    if shape is None or output.spec.rank == 0:
        return None
    last = output.shape[-1]
    return len(shape) < output.spec.rank or (len(shape) == output.spec.rank and shape[-1] == 1 and last != 1)


def _weighted(data: Any) -> bool:
    """Whether data brings weights of its samples."""
    if isinstance(data, Source):
        return data.parts()[2]
    return isinstance(data, tuple) and len(data) == 3


def _targets(action: Action) -> Any:
    """The targets that an action brings."""
    data = action.args.get("x")
    return data.parts()[1] if isinstance(data, Source) else action.args.get("y")


def shape_of(value: Any) -> tuple[Any, ...] | None:
    """The shape of data as far as it is known."""
    if isinstance(value, Array):
        return value.shape
    if isinstance(value, list) and value and all(isinstance(v, (int, float)) for v in value):
        return (len(value),)
    return None


@dataclass(eq=False)
class Logits:
    """Which models leave their final activation to the loss."""

    program: Program
    drop_in: bool
    found: dict[int, str] = field(default_factory=dict)

    def decide(self) -> dict[int, str]:
        """Activation by the identity of the model."""
        if self.drop_in:
            return {}
        groups: dict[Any, list[Model]] = {}
        for model in self.program.models:
            groups.setdefault((model.origin.span, model.name if model.explicit_name else ""), []).append(model)
        for _ in range(2):  # a model that ends in another one follows that one
            for group in groups.values():
                activations = {self._activation(model) for model in group}
                if len(activations) == 1 and None not in activations and any(self._compiles(m) for m in group):
                    self.found.update({id(model): str(next(iter(activations))) for model in group})
        return self.found

    def _compiles(self, model: Model) -> list[Compiled]:
        actions = [a for a in self.program.actions if a.model is model and method(a) == "compile"]
        return [a.compiled for a in actions if a.compiled is not None]

    def _activation(self, model: Model) -> str | None:
        outputs = model.output_tensors() if model.outputs is not None else []
        if len(outputs) != 1 or outputs[0].node is None or isinstance(model.outputs, dict):
            return None
        node = outputs[0].node
        activation = self._final(node)
        if activation is None or self._read_elsewhere(model, node):
            return None
        used = [a for a in self.program.actions if a.model is model]
        if any(method(a) == "__call__" for a in used):
            return None
        if not all(self._fits(c, activation, outputs[0], used) for c in self._compiles(model)):
            return None
        return activation

    def _final(self, node: Node) -> str | None:
        if isinstance(node.target, Model):
            return self.found.get(id(node.target))
        if not isinstance(node.target, Layer):
            return None
        symbol, config = node.target.symbol.rpartition(".")[2], node.target.config
        if symbol in ("Softmax", "Sigmoid"):
            plain = config.get("axis", -1) == -1 and len(node.input_tensors()) == 1
            return symbol.lower() if plain else None
        if symbol not in ("Dense", "Activation", "Conv1D", "Conv2D", "Conv3D"):
            return None
        value = config.get("activation")
        name = value.symbol.rpartition(".")[2] if isinstance(value, ApiObject) else value
        return name if name in ("softmax", "sigmoid") else None

    def _read_elsewhere(self, model: Model, node: Node) -> bool:
        """Whether the last call is part of another model that does not take this one as a whole."""
        inside = any(tensor.node is node for other in model.nodes for tensor in other.input_tensors())
        return inside or any(
            node in other.nodes or any(t.node is node for n in other.nodes for t in n.input_tensors())
            for other in self.program.models
            if other is not model
        )

    def _fits(self, compiled: Compiled, activation: str, output: Tensor, used: list[Action]) -> bool:
        loss = compiled.loss
        if isinstance(loss, (list, tuple)) and len(loss) == 1:
            loss = loss[0]
        name = loss.symbol.rpartition(".")[2] if isinstance(loss, ApiObject) else loss
        if not isinstance(name, str) or (isinstance(loss, ApiObject) and loss.config.get("from_logits")):
            return False
        kind = standard_name(name)
        if kind not in CROSSENTROPIES or (kind == "binary_crossentropy") != (activation == "sigmoid"):
            return False
        info = Output(output.shape, False, "", activation)
        action = next((a for a in used if method(a) in USES), None)
        return all(self._metric_fits(m, info, kind, output, action) for m in flat(compiled.metrics))

    def _metric_fits(self, value: Any, info: Output, kind: str, output: Tensor, action: Action | None) -> bool:
        if isinstance(value, FunctionRef):
            return False
        sparse = True if kind.startswith("sparse") else sparse_targets(action, 0, output, 1)
        try:
            return works_on_logits(resolve_metric(value, "", info, bool(sparse)), str(info.logits))
        except Refusal:
            return False


def flat(value: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


@dataclass(eq=False)
class Needs:
    """The traits of all training in a program, which the templates of the helpers ask for."""

    multi_in: bool = False
    multi_out: bool = False
    weights: bool = False
    metrics: bool = False
    loss_weights: bool = False
    penalty: str = ""  # "all" or "some" models have a regularisation loss
    validation: bool = False
    fit: frozenset[str] = frozenset()
    evaluate_prints: bool = False
    frozen: bool = False
    loaders: bool = False  # training works on loaders of batches, not on arrays
    validation_freq: bool = False
    steps: frozenset[str] = frozenset()  # what data sets of samples do
    sequence_ends: str = ""  # "all" or "some" sequences are told when an epoch ends
    activation: bool = False
    changes_rate: bool = False  # something else than a schedule sets the learning rate
    callbacks: CallbackNeeds = field(default_factory=CallbackNeeds)
    tensors: bool = False
    input_dtype: str = "torch.float32"
    target_dtype: str = "torch.float32"


def brings_batches(action: Action) -> bool:
    """Whether a ``fit`` or an ``evaluate`` works on batches that the program brings, or counts its steps."""
    if method(action) not in ("fit", "evaluate"):
        return False
    data = (action.args.get("x"), action.args.get("validation_data"))
    steps = (action.args.get(name) for name in ("steps_per_epoch", "validation_steps", "steps"))
    return any(isinstance(value, Source) for value in data) or any(count is not None for count in steps)


def needs_of(program: Program, logits: Mapping[int, str]) -> Needs:
    """Look over the program."""
    needs = Needs()
    actions = [a for a in program.actions if method(a)]
    used = {id(a.model): a.model for a in actions
            if method(a) in TAKE_DATA and a.model is not None and a.model.outputs is not None}  # fmt: skip
    compiled = [a.compiled for a in actions if method(a) in USES and a.compiled is not None]
    needs.multi_in = any(len(m.input_tensors()) > 1 for m in used.values())
    needs.multi_out = any(len(m.output_tensors()) > 1 for m in used.values())
    needs.weights = any(
        a.args.get(key) is not None for a in actions if method(a) in USES for key in ("sample_weight", "class_weight")
    ) or any(_weighted(a.args.get(key)) for a in actions for key in ("x", "validation_data") if method(a) in USES)
    needs.metrics = any(flat(c.metrics) for c in compiled)
    needs.loss_weights = any(c.config.get("loss_weights") is not None for c in compiled)
    trained = {id(a.model): a.model for a in actions if method(a) in USES and a.model is not None}
    penalised = [has_option(m, "_regularizer") for m in trained.values() if m.outputs is not None]
    needs.penalty = "" if not any(penalised) else "all" if all(penalised) else "some"
    fits = [a for a in actions if method(a) == "fit"]
    needs.fit = frozenset(key for a in fits for key, value in a.args.items() if value is not None and value != [])
    needs.validation = bool({"validation_data", "validation_split"} & needs.fit)
    needs.loaders = any(map(brings_batches, actions))
    needs.steps = frozenset(a.symbol.rpartition(".")[2] for a in program.actions if ".data.Dataset." in a.symbol)
    ends = {source.ends for a in actions for source in a.args.values() if isinstance(source, Source)
            and source.kind == "sequence"}  # fmt: skip
    needs.sequence_ends = "" if True not in ends else "some" if False in ends else "all"
    needs.validation_freq = any(plain_number(a.args.get("validation_freq", 1)) != 1 for a in fits)
    evaluates = [a for a in actions if method(a) == "evaluate"]
    needs.evaluate_prints = any(a.args.get("verbose", "auto") != 0 for a in evaluates)
    needs.frozen = any(getattr(c, "trainable", None) is not None for c in compiled)
    needs.activation = any(id(a.model) in logits for a in actions if method(a).startswith(("predict", "__call__")))
    return needs
