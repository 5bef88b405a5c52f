"""``compile``: criterion, optimizer and metrics of every model, as statements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arguments import elements, is_name, items
from transpiler.emit.arrays import Arrays
from transpiler.emit.helpers import Helpers
from transpiler.emit.losses import Code, Loss, Output, criterion, custom_call, resolve_loss, standard_name
from transpiler.emit.metrics import Metric, direction, metric_code, resolve_metric
from transpiler.emit.optimizers import optimizer_code
from transpiler.emit.places import Places
from transpiler.emit.plan import USES, Needs, by_output, flat, method, output_names, sparse_targets
from transpiler.graph.keras import Model
from transpiler.graph.program import Action, Compiled, Program


class Compiler:
    """Writes what ``compile`` becomes."""

    def __init__(
        self,
        program: Program,
        needs: Needs,
        helpers: Helpers,
        logits: Mapping[int, str],
        arrays: Arrays,
        places: Places,
    ) -> None:
        self.program = program
        self.needs = needs
        self.helpers = helpers
        self.logits = logits
        self.arrays = arrays
        self.places = places
        self.index_targets = self._all_indices()

    def _all_indices(self) -> bool:
        """Whether all targets of the program are class numbers."""
        kinds: set[bool] = set()
        for action in self.program.actions:
            if method(action) in USES and action.compiled is not None and action.model is not None:
                try:
                    kinds |= {loss.indices for loss in self.losses(action)}
                except Refusal:
                    kinds.add(False)
        return kinds == {True}

    # -- what compile said ------------------------------------------------------------------------------------------
    def _outputs(self, model: Model) -> list[Output]:
        tensors, names = model.output_tensors(), output_names(model)
        logits = self.logits.get(id(model))
        return [
            Output(tensor.shape, self.arrays.output_first(model, index), names[index], logits)
            for index, tensor in enumerate(tensors)
        ]

    def _use(self, compiled: Compiled) -> Action | None:
        """The first call that brings targets to what was compiled."""
        return next((a for a in self.program.actions if a.compiled is compiled and method(a) in USES), None)

    def losses(self, action: Action, texts: Mapping[str, str] | None = None) -> list[Loss]:
        """The loss of every output."""
        model, compiled = action.model, action.compiled
        assert model is not None
        assert compiled is not None
        outputs = self._outputs(model)
        value, text = compiled.loss, (texts or {}).get("loss", "")
        values, parts = self._spread(value, text, outputs)
        if any(v is None for v in values):
            raise Refusal("KT301", "a model without a loss for every output is not translated")
        used = self._use(compiled)
        tensors = model.output_tensors()
        sparse = [sparse_targets(used, i, tensor, len(outputs)) for i, tensor in enumerate(tensors)]
        return [resolve_loss(*group) for group in zip(values, parts, outputs, sparse, strict=True)]

    def _spread(self, value: Any, text: str, outputs: list[Output]) -> tuple[list[Any], list[str]]:
        """A value for each output, with texts."""
        names = [output.name for output in outputs]
        if not isinstance(value, (list, tuple, Mapping)):
            return [value] * len(outputs), [text] * len(outputs)
        values = by_output(value, names)
        if values is None:
            raise Refusal("KT301", f"the model has {len(outputs)} outputs; this list or dict does not fit")
        found: list[str] | None = None
        if isinstance(value, Mapping):
            by_name = items(text)
            found = None if by_name is None else [by_name.get(name, "") for name in names]
        else:
            found = elements(text)
        return values, found or [""] * len(outputs)

    def has_metrics(self, action: Action) -> bool:
        """Whether the action's model was compiled with metrics."""
        return action.compiled is not None and bool(flat(action.compiled.metrics))

    def _metrics(self, model: Model, compiled: Compiled, texts: Mapping[str, str]) -> list[list[Metric]]:
        outputs, tensors = self._outputs(model), model.output_tensors()
        value, text = compiled.metrics, texts.get("metrics", "")
        losses = self.losses(compiled.action)
        used = self._use(compiled)
        found: list[list[Metric]] = []
        for index, (output, loss) in enumerate(zip(outputs, losses, strict=True)):
            sparse = loss.indices or (
                False if loss.kind != "custom" else sparse_targets(used, index, tensors[index], len(outputs))
            )
            own, own_text = self._own_metrics(value, text, index, outputs)
            parts = elements(own_text) or [""] * len(own)
            found.append([resolve_metric(m, part, output, sparse) for m, part in zip(own, parts, strict=True)])
        return found

    def history_key(self, action: Action, text: str) -> str:
        """The text of a key of the history: other versions of Keras name the same metric otherwise (``acc``)."""
        wanted, model, compiled = action.args["key"], action.model, action.compiled
        if wanted == "lr" and self.needs.changes_rate:
            return repr("learning_rate") if text.strip("\"'") == wanted else text
        if model is None or compiled is None or not flat(compiled.metrics):
            return text
        held_out = "val_" if wanted.startswith("val_") else ""
        found = self._reported_metric(model, compiled, wanted.removeprefix("val_"))
        if found is None or held_out + found[0] == wanted:
            return text
        if text.strip("\"'") != wanted:
            raise Refusal("KT301", f"the history calls `{wanted}` `{held_out}{found[0]}`")
        return repr(held_out + found[0])

    def _reported_metric(self, model: Model, compiled: Compiled, key: str) -> tuple[str, Metric] | None:
        """The metric that is reported as ``key``, or that another version of Keras calls so, with its key."""
        found = self._metrics(model, compiled, {})
        prefixes = [f"{output.name}_" if len(found) > 1 else "" for output in self._outputs(model)]
        keys = {prefix + metric.key: metric for prefix, own in zip(prefixes, found, strict=True) for metric in own}
        if key in keys:
            return key, keys[key]
        for prefix in prefixes:
            for other, metric in keys.items():
                if key.startswith(prefix) and other.startswith(prefix) and _same_metric(key[len(prefix) :], metric):
                    return other, metric
        return None

    def reported(self, fit: Action, name: str) -> tuple[str, str] | None:
        """What a ``fit`` reports as ``name``: its key, and whether it should grow (``max``) or shrink (``min``)."""
        model, compiled = fit.model, fit.compiled
        held_out, key = "val_" if name.startswith("val_") else "", name.removeprefix("val_")
        if key == "loss" or model is None or compiled is None:
            return name, "min"
        try:
            found = self._reported_metric(model, compiled, key)
            if found is None and len(model.output_tensors()) > 1 and key.removesuffix("_loss") in output_names(model):
                return name, "min"
        except Refusal:
            return name, "min"  # the training is refused
        return None if found is None else (held_out + found[0], direction(found[1]))

    def _own_metrics(self, value: Any, text: str, index: int, outputs: list[Output]) -> tuple[list[Any], str]:
        """The metrics of one output, as a list and its text."""
        if value is None:
            return [], "[]"
        if isinstance(value, Mapping):
            chosen = value.get(outputs[index].name)
            part = (items(text) or {}).get(outputs[index].name, "")
        elif not isinstance(value, (list, tuple)):
            chosen, part = value, text
        elif len(outputs) > 1 or any(isinstance(v, (list, tuple)) for v in value):
            if len(value) != len(outputs):
                raise Refusal("KT301", "metrics of several outputs are translated as one list for each output")
            chosen, part = value[index], (elements(text) or [""] * len(value))[index]
        else:
            return list(value), text
        if chosen is None:
            return [], "[]"
        return (list(chosen), part) if isinstance(chosen, (list, tuple)) else ([chosen], f"[{part}]")

    # -- statements -------------------------------------------------------------------------------------------------
    def statements(self, action: Action, texts: Mapping[str, str], receiver: str) -> list[str]:
        """The statements that replace a ``compile``."""
        model, compiled = action.model, action.compiled
        assert model is not None
        assert compiled is not None
        _refuse_options(compiled)
        names = self.places.names(action, receiver)
        lines = self._criterion(action, texts, names["criterion"])
        lines += self._optimizer(compiled, texts, receiver, names)
        lines += self._metric_lines(model, compiled, texts, names["metrics"])
        if compiled.config.get("loss_weights") is not None:
            lines.append(f"{names['loss_weights']} = {self._loss_weights(model, compiled, texts)}")
        return lines

    def _criterion(self, action: Action, texts: Mapping[str, str], name: str) -> list[str]:
        assert action.model is not None
        outputs, losses = self._outputs(action.model), self.losses(action, texts)
        lines, losses = _bound_functions(losses, name)
        codes = [
            criterion(loss, output, weighted=self.needs.weights, index_targets=self.index_targets)
            for loss, output in zip(losses, outputs, strict=True)
        ]
        for code in codes:
            self._note(code)
        if self.needs.multi_out:
            shown = ", ".join(f"{o.name!r}: {code.text}" for o, code in zip(outputs, codes, strict=True))
            return [*lines, f"{name} = {{{shown}}}"]
        if losses[0].kind == "custom" and name.isidentifier():
            body = custom_call(losses[0], outputs[0], self.needs.weights)
            function = f"def {name}(outputs: Tensor, targets: Tensor) -> Tensor:\n    return {body}"
            return [*lines, function]
        return [*lines, f"{name} = {codes[0].text}"]

    def _note(self, code: Code) -> None:
        for helper in code.helpers:
            self.helpers.use(helper)

    def _optimizer(
        self, compiled: Compiled, texts: Mapping[str, str], receiver: str, names: Mapping[str, str]
    ) -> list[str]:
        parameters = f"{receiver}.parameters()"
        if getattr(compiled, "trainable", None) is not None:
            parameters = f"[parameter for parameter in {parameters} if parameter.requires_grad]"
        changes = self.needs.changes_rate
        code = optimizer_code(compiled.optimizer, texts.get("optimizer", ""), parameters, rate_changes=changes)
        for helper in code.helpers:
            self.helpers.use(helper)
        after = [
            line.replace("{optimizer}", names["optimizer"]).replace("{scheduler}", names["scheduler"])
            for line in code.after
        ]
        return [f"{names['optimizer']} = {code.text}", *after]

    def _metric_lines(self, model: Model, compiled: Compiled, texts: Mapping[str, str], name: str) -> list[str]:
        if not flat(compiled.metrics):
            return []
        outputs = self._outputs(model)
        shown: list[str] = []
        for output, metrics in zip(outputs, self._metrics(model, compiled, texts), strict=True):
            codes = {metric.key: metric_code(metric, output) for metric in metrics}
            if len(codes) < len(metrics):
                raise Refusal("KT301", "two metrics of the same name are not translated; give one of them a `name=`")
            for metric in metrics:
                self._note(codes[metric.key])
                if metric.kind == "custom" and not metric.loss.text:
                    raise Refusal("KT301", f"the metric `{metric.key}` has no name by which the output may call it")
            shown.append("{" + ", ".join(f"{key!r}: {code.text}" for key, code in codes.items()) + "}")
        if not self.needs.multi_out:
            return [f"{name} = {shown[0]}"]
        pairs = [f"{output.name!r}: {text}" for output, text in zip(outputs, shown, strict=True) if text != "{}"]
        return [f"{name} = {{{', '.join(pairs)}}}"]

    def _loss_weights(self, model: Model, compiled: Compiled, texts: Mapping[str, str]) -> str:
        outputs = self._outputs(model)
        value, text = compiled.config["loss_weights"], texts.get("loss_weights", "")
        if len(outputs) == 1 and not isinstance(value, (list, tuple, Mapping)):
            value, text = [value], f"[{text}]"
        values, parts = self._spread(value, text, outputs)
        if any(part == "" for part, v in zip(parts, values, strict=True) if v is not None):
            if text and is_name(text) and isinstance(value, Mapping):
                return text
            parts = [repr(v) for v in values]
        pairs = [f"{o.name!r}: {part}" for o, part, v in zip(outputs, parts, values, strict=True) if v is not None]
        return "{" + ", ".join(pairs) + "}"


def _same_metric(name: str, metric: Metric) -> bool:
    """Whether ``name`` is another name for ``metric``."""
    if name in ("acc", "accuracy"):
        return metric.key in ("acc", "accuracy") or metric.kind == name
    return standard_name(name) == standard_name(metric.key)


def _refuse_options(compiled: Compiled) -> None:
    if flat(compiled.config.get("weighted_metrics")):
        raise Refusal("KT301", "`weighted_metrics` is not translated")
    for option in ("sample_weight_mode", "target_tensors"):
        if compiled.config.get(option) is not None:
            raise Refusal("KT301", f"`{option}` of `compile` is not translated")


def _bound_functions(losses: list[Loss], name: str) -> tuple[list[str], list[Loss]]:
    """Loss functions that are made by an expression get a name first."""
    lines: list[str] = []
    result: list[Loss] = []
    for loss in losses:
        if loss.kind == "custom" and not loss.text:
            raise Refusal("KT301", "the loss function has no name by which the output may call it")
        if loss.kind == "custom" and not is_name(loss.text):
            variable = f"{name.replace('.', '_')}_function" if len(losses) == 1 else f"loss_function{len(lines) + 1}"
            lines.append(f"{variable} = {loss.text}")
            loss = Loss("custom", text=variable)
        result.append(loss)
    return lines, result
