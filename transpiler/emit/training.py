"""Training in the output: what stands in the place of compile, fit, evaluate, predict and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transpiler.diagnostics import Refusal
from transpiler.emit.arguments import plain_number
from transpiler.emit.arrays import Arrays
from transpiler.emit.callbacks import Callbacks, show_callbacks
from transpiler.emit.compiling import Compiler
from transpiler.emit.data import render_adapt, render_function
from transpiler.emit.helpers import Helpers, imports_of
from transpiler.emit.optimizers import has_schedule
from transpiler.emit.paths import weights_path
from transpiler.emit.places import Places
from transpiler.emit.plan import Logits, has_option, layers_of, method, needs_of
from transpiler.emit.sources import Loaders, is_source_action, render_source
from transpiler.graph.keras import Model
from transpiler.graph.program import Action, Program, Source, Unknown
from transpiler.options import Options
from transpiler.rules.callbacks import BASE as CALLBACK
from transpiler.rules.callbacks import CALLBACKS, kind_of
from transpiler.rules.data import FUNCTIONS
from transpiler.rules.runtime import DEVICES, REPLACED

Layouts = Callable[[Model], tuple[list[bool], list[bool]]]


@dataclass(frozen=True)
class Rendered:
    """What replaces a call: an expression, or the statements that replace the whole expression statement."""

    text: str
    statements: tuple[str, ...] | None = None


class TrainingEmitter:
    """Renders the actions of a program and collects the helpers that its output file needs."""

    def __init__(
        self,
        program: Program,
        options: Options,
        layouts: Layouts | None = None,
        given: Mapping[int, str | None] | None = None,
    ) -> None:
        self.program = program
        decided = {**Logits(program, options.drop_in).decide(), **(given or {})}  # given: by the class of another file
        self.logits = {key: value for key, value in decided.items() if value is not None}
        self.logits_models: set[int] = set(self.logits)
        self.needs = needs_of(program, self.logits)
        self.helpers_used = Helpers(program.names)
        self.places = Places(program)
        self.arrays = Arrays(program, self.needs, self.helpers_used, layouts or (lambda model: ([], [])))
        self.compiler = Compiler(program, self.needs, self.helpers_used, self.logits, self.arrays, self.places)
        self.loaders = Loaders(self.needs, self.arrays)
        self.callbacks = Callbacks(program, self.compiler.reported)
        self.needs.changes_rate = self.callbacks.changes_rate() or any(
            a.symbol.startswith("keras.Optimizer.") for a in program.actions
        )
        self.needs.callbacks = self.callbacks.needs()
        self.needs_device = any(method(a) in _METHODS and method(a) not in _DEVICELESS for a in program.actions)
        self.needs.target_dtype = "torch.long" if self.compiler.index_targets else "torch.float32"

    # -- what the splicer asks --------------------------------------------------------------------------------------
    def render(self, action: Action, texts: Mapping[str, str], receiver: str) -> Rendered:
        """What stands in the place of ``action``; ``texts`` are the translated texts of its arguments."""
        own = dict(texts)
        found: str | list[str]
        if action.symbol in CALLBACKS or action.symbol == CALLBACK:
            options = self.needs.callbacks.options.get(kind_of(action.symbol), frozenset())
            found = self.callbacks.render(action, self._checkpoint_path(action, own), options)
        elif action.symbol == "keras.models.load_model":
            found = f"<load_model>({receiver}, {self._path(action, own)})"
        elif is_source_action(action):
            found = render_source(action, own, receiver)
        elif action.symbol in FUNCTIONS:
            found = render_function(action, own, self.helpers_used)
        elif action.symbol.startswith("keras.Optimizer."):
            found = self._rate(action, own, receiver)
        elif action.symbol in RUNTIME:
            found = RUNTIME[action.symbol]
        elif action.symbol == "keras.History.item":
            found = f"{receiver}[{self.compiler.history_key(action, own['key'])}]"
        elif action.layer is not None:
            found = render_adapt(action, own, receiver)
        elif action.symbol.startswith("keras.History."):
            found = receiver if action.symbol.endswith(".history") else f'list(range(len({receiver}["loss"])))'
        else:
            renderer = _METHODS.get(method(action))
            if renderer is None:
                raise Refusal("KT302", f"`{method(action) or action.symbol}` is not translated")
            found = renderer(self, action, own, receiver)
        if isinstance(found, str):
            return Rendered(self.helpers_used.keep(self.helpers_used.fill(found)))
        lines = tuple(self.helpers_used.keep(self.helpers_used.fill(line)) for line in found)
        return Rendered("None", lines)

    def helpers(self) -> list[str]:
        """The sources of the helper functions needed so far, in order."""
        return self.helpers_used.render(vars(self.needs))

    def imports(self) -> set[str]:
        """The import lines needed so far."""
        return imports_of([*self.helpers(), *self.helpers_used.texts])

    def helper_names(self) -> set[str]:
        """What the helpers needed so far are called in the output."""
        return {self.helpers_used.names[name] for name in self.helpers_used.wanted}

    # -- training ---------------------------------------------------------------------------------------------------
    def compile(self, action: Action, texts: dict[str, str], receiver: str) -> list[str]:
        """``model.compile(...)``: the criterion, the optimizer and the metrics."""
        self._model(action)
        return self.compiler.statements(action, texts, receiver)

    def _model(self, action: Action) -> Model:
        model = action.model
        if model is None or model.outputs is None:
            raise Refusal("KT105", "the model of this call is not known")
        return model

    def _trained(self, action: Action) -> Model:
        model = self._model(action)
        if action.compiled is None:
            raise Refusal("KT301", "the model is not compiled before this call")
        if any(tensor.mask is not None and tensor.spec.rank > 2 for tensor in model.output_tensors()):
            raise Refusal("KT301", "the model's output carries a mask, by which Keras would weigh the loss")
        if has_option(model, "_constraint"):
            raise Refusal("KT301", "training with constraints on weights is not translated")
        if has_option(model, "activity_regularizer"):
            raise Refusal("KT301", "training with an activity regulariser is not translated")
        return model

    def _common(self, action: Action, receiver: str, texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Texts of model, data and criterion; and of metrics and loss weights."""
        model = self._trained(action)
        losses, training = self.compiler.losses(action), method(action) == "fit"
        if "y" not in texts and not isinstance(action.args.get("x"), Source):
            raise Refusal("KT301", "training on a generator or a data set that is not known is not translated")
        names = self.places.names(action, receiver)
        more = [names["metrics"] if self.compiler.has_metrics(action) else "{}"] if self.needs.metrics else []
        if self.needs.loss_weights:
            weighted = action.compiled is not None and action.compiled.config.get("loss_weights") is not None
            more.append(names["loss_weights"] if weighted else "{}")
        if self.needs.loaders and method(action) in ("fit", "evaluate"):
            return [receiver, self.loaders.data(action, texts, losses, training=training), names["criterion"]], more
        x = self.arrays.inputs(model, action.args.get("x"), texts["x"])
        y = self.arrays.targets(action, model, action.args.get("y"), texts["y"], losses)
        return [receiver, x, y, names["criterion"]], more

    def fit(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``model.fit(...)``."""
        self._check_validation(action)
        if action.compiled is not None and action.compiled.action.model is not action.model:
            raise Refusal("KT301", "training goes on with the optimizer's state in the file, which the output does not"
                          " keep", "compile the model again after it is loaded")  # fmt: skip
        if isinstance(action.args.get("class_weight"), (list, tuple)):
            raise Refusal("KT301", "`class_weight` must be one dict")
        if action.args.get("class_weight") is not None and action.args.get("sample_weight") is not None:
            raise Refusal("KT301", "Keras takes either `class_weight` or `sample_weight`")
        self._check_weights(action)
        head, more = self._common(action, receiver, texts)
        if "validation_data" in texts and action.args.get("validation_data") is not None:
            texts |= self._validation(action, texts)
        shown = [*head, self.places.names(action, receiver)["optimizer"], *more]
        show_callbacks(action, texts)
        for name in ("epochs", "batch_size", "validation_split", "validation_data", "shuffle", "class_weight",
                     "sample_weight", "validation_loader", "validation_freq", "initial_epoch", "callbacks",
                     "verbose"):  # fmt: skip
            if self.needs.loaders and name in _OF_ARRAYS:
                continue
            if name in texts and action.args.get(name, "") is not None and not _automatic(action, name):
                shown.append(f"{name}={texts[name]}")
        return f"<fit>({', '.join(shown)})"

    def _checkpoint_path(self, action: Action, texts: dict[str, str]) -> dict[str, str]:
        return texts | {"filepath": self._path(action, texts)} if "filepath" in texts else texts

    def _check_weights(self, action: Action) -> None:
        weighted = action.args.get("class_weight") is not None or action.args.get("sample_weight") is not None
        outputs = action.model.output_tensors() if action.model is not None else []
        if weighted and (len(outputs) != 1 or outputs[0].spec.rank != 2):
            raise Refusal("KT301", "weights of samples are translated for one output of one axis only")

    def _check_validation(self, action: Action) -> None:
        if self.needs.loaders and action.args.get("validation_split") is not None:
            raise Refusal("KT301", "`validation_split` in a program that trains on batches is not translated")
        if not isinstance(plain_number(action.args.get("validation_freq", 1)), int):
            raise Refusal("KT301", "`validation_freq` must be one number that is known")
        if action.args.get("validation_batch_size") is not None and not self.needs.loaders:
            raise Refusal("KT301", "`validation_batch_size` is not translated")

    def _validation(self, action: Action, texts: Mapping[str, str]) -> dict[str, str]:
        """The validation data as ``fit`` of the output takes it."""
        value, text = action.args["validation_data"], texts["validation_data"]
        model, losses = self._trained(action), self.compiler.losses(action)
        if self.needs.loaders:
            return {"validation_loader": self.loaders.validation(action, texts, losses)}
        if isinstance(value, Unknown) or not isinstance(value, (list, tuple)):
            raise Refusal("KT301", "`validation_data` is not known to be a tuple of arrays")
        parts = self.arrays.split(value, text)
        x = self.arrays.inputs(model, value[0], parts[0])
        y = self.arrays.targets(action, model, value[1], parts[1], losses)
        return {"validation_data": text if [x, y] == parts[:2] else f"({', '.join([x, y, *parts[2:]])})"}

    def evaluate(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``model.evaluate(...)``."""
        _refuse(action, "callbacks")
        self._check_weights(action)
        head, more = self._common(action, receiver, texts)
        shown = [*head, *more]
        for name in () if self.needs.loaders else ("batch_size", "sample_weight"):
            if name in texts and action.args.get(name) is not None:
                shown.append(f"{name}={texts[name]}")
        verbose = action.args.get("verbose", "auto")
        if self.needs.evaluate_prints and verbose != 0:
            shown.append(f"verbose={'1' if verbose == 'auto' else texts['verbose']}")
        return self._values(action, f"<evaluate>({', '.join(shown)})")

    def _values(self, action: Action, call: str) -> str:
        """The logs of ``call`` as Keras returns them: a number, a list, or a dict."""
        if action.args.get("return_dict") not in (None, False):
            return call
        if action.discarded:
            return call
        single = not self.compiler.has_metrics(action) and len(self._model(action).output_tensors()) == 1
        return f'{call}["loss"]' if single else f"list({call}.values())"

    def on_batch(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``train_on_batch`` and ``test_on_batch``."""
        _refuse(action, reset_metrics=True)
        self._check_weights(action)
        head, more = self._common(action, receiver, texts)
        names = self.places.names(action, receiver)
        shown = [*head, *([names["optimizer"]] if method(action) == "train_on_batch" else []), *more]
        if action.args.get("sample_weight") is not None:
            shown.append(f"sample_weight={texts['sample_weight']}")
        elif action.args.get("class_weight") is not None:
            shown.append(f"sample_weight=<class_weights>({texts['y']}, {texts['class_weight']})")
        return self._values(action, f"<{method(action)}>({', '.join(shown)})")

    def _rate(self, action: Action, texts: Mapping[str, str], receiver: str) -> str | list[str]:
        """Where a program reads or sets the learning rate; the output's optimizers have one group of parameters."""
        what = action.symbol.rpartition(".")[2]
        if what == "rate":
            model = receiver.removesuffix(".optimizer")
            if action.compiled is None:
                raise Refusal("KT301", "the model is not compiled before this")
            if has_schedule(action.compiled.optimizer):
                raise Refusal("KT301", "the learning rate of this optimizer follows a schedule, and is not set by hand")
            optimizer = "self.optimizer" if action.args["hook"] else self.places.names(action, model)["optimizer"]
            return f'{optimizer}.param_groups[0]["lr"]'
        if what in ("value", "own_value"):
            return texts["x"] if what == "value" else receiver
        return [f"{texts['x'] if what == 'set' else receiver} = {texts['value']}"]

    # -- inference --------------------------------------------------------------------------------------------------
    def predict(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``model.predict(...)`` and its like: arrays in Keras' layout."""
        model, value = self._model(action), action.args.get("x")
        _refuse(action, "callbacks", *([] if isinstance(value, Source) else ["steps"]))
        steps = texts.get("steps") if action.args.get("steps") is not None else None
        loop, x = (
            self.loaders.inputs(model, value, texts["x"], steps)
            if isinstance(value, Source)
            else ("", self.arrays.inputs(model, value, texts["x"]))
        )
        shown = [receiver, x]
        if id(model) in self.logits:
            shown.append(self._activation(model))
        if "batch_size" in texts and action.args.get("batch_size") is not None and not loop:
            shown.append(f"batch_size={texts['batch_size']}")
        found = self.arrays.outputs(model, f"<predict>({', '.join(shown)})")
        if loop and len(model.output_tensors()) > 1:
            raise Refusal("KT302", "predictions of several outputs for a data set are not translated")
        return f"np.concatenate([{found} {loop}])" if loop else found

    def _activation(self, model: Model) -> str:
        if self.logits[id(model)] == "sigmoid":
            return "torch.sigmoid"
        first = self.arrays.output_first(model, 0)
        return f"nn.Softmax(dim={1 if first or model.output_tensors()[0].spec.rank == 2 else -1})"

    def predict_classes(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``predict_classes`` of Keras 1 and 2."""
        outputs = self._model(action).output_tensors()
        if len(outputs) != 1:
            raise Refusal("KT302", "`predict_classes` is for one output")
        text = self.predict(action, texts, receiver)
        binary = outputs[0].shape[-1] == 1
        return f'({text} > 0.5).astype("int32")' if binary else f"{text}.argmax(axis=-1)"

    def call(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``model(x)`` on data: tensors of what the model predicts, or makes of it in training mode."""
        if "mask" in texts:
            raise Refusal("KT302", "calling a model with a mask is not translated")
        model, training = self._model(action), action.args.get("training")
        if training in (None, False):
            found = self.predict(action, {"x": texts["inputs"]}, receiver)
        elif training is True:
            found = self._predict_in_training(action, texts["inputs"], receiver)
        else:
            raise Refusal("KT302", "calling a model is translated where `training` is known")
        if isinstance(model.outputs, Mapping):
            return f"{{name: torch.from_numpy(array) for name, array in {found}.items()}}"
        if len(model.output_tensors()) > 1:
            return f"[torch.from_numpy(array) for array in {found}]"
        return f"torch.from_numpy({found})"

    def _predict_in_training(self, action: Action, text: str, receiver: str) -> str:
        model = self._model(action)
        if self.needs.frozen or any(not layer.trainable for layer in layers_of(model)):
            raise Refusal("KT302", "calling a model with frozen layers in training mode is not translated")
        if id(model) in self.logits:
            raise Refusal("KT302", "calling a model that gives logits in training mode is not translated")
        x = self.arrays.inputs(model, action.args.get("inputs"), text)
        return self.arrays.outputs(model, f"<predict_in_training>({receiver}, {x})")

    # -- the rest ---------------------------------------------------------------------------------------------------
    def summary(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``model.summary()``."""
        to = texts.get("print_fn", "print")
        return f"print({receiver})" if to in ("print", "None") else f"({to})(str({receiver}))"

    def count_params(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``model.count_params()``."""
        return f"<count_params>({receiver})"

    def save(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``save_weights`` and ``save``: the state dict."""
        return f"torch.save({receiver}.state_dict(), {self._path(action, texts)})"

    def load_weights(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``load_weights``: the state dict that the command's ``--weights`` makes of a Keras file."""
        _refuse(action, by_name=False, skip_mismatch=False)
        self._model(action)
        device = self.helpers_used.names["device"]
        path = self._path(action, texts)
        return f"{receiver}.load_state_dict(torch.load({path}, map_location={device}, weights_only=True))"

    def _path(self, action: Action, texts: Mapping[str, str]) -> str:
        return weights_path(action.args.get("filepath"), texts["filepath"])

    def get_weights(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``get_weights``, where the program only puts them back with ``set_weights``."""
        if not any(method(a) == "set_weights" for a in self.program.actions):
            raise Refusal("KT302", "`get_weights` is translated only together with `set_weights`")
        return f"{{key: value.clone() for key, value in {receiver}.state_dict().items()}}"

    def set_weights(self, action: Action, texts: dict[str, str], receiver: str) -> str:
        """``set_weights``, of what ``get_weights`` gave."""
        if not any(method(a) == "get_weights" for a in self.program.actions):
            raise Refusal("KT302", "`set_weights` is translated only together with `get_weights`")
        return f"{receiver}.load_state_dict({texts['weights']})"

    def reset_states(self, action: Action, texts: dict[str, str], receiver: str) -> list[str]:
        """``model.reset_states()``: stateful recurrent layers start afresh."""
        if not any(layer.config.get("stateful") for layer in layers_of(self._model(action))):
            return []
        lines = f"for module in {receiver}.modules():", "    if isinstance(module, KeepsState):"
        return [*lines, "        module.state = None"]

    def reset_metrics(self, action: Action, texts: dict[str, str], receiver: str) -> list[str]:
        """``reset_metrics``: no mean outlives a call, here as in Keras, so nothing is left to do."""
        return []


def _refuse(action: Action, *names: str, **defaults: Any) -> None:
    """Refuse arguments that are given and are not empty, or not their default."""
    for name in (*names, *defaults):
        value = action.args.get(name)
        if value is not None and value != defaults.get(name) and value != []:
            raise Refusal("KT301", f"`{name}` of `{method(action)}` is not translated")


def _automatic(action: Action, name: str) -> bool:
    return name == "verbose" and action.args.get(name) == "auto"


_OF_ARRAYS = ("batch_size", "validation_split", "validation_data", "shuffle", "class_weight", "sample_weight")
RUNTIME = REPLACED | DEVICES
_DEVICELESS = ("reset_states", "summary", "count_params", "save", "save_weights", "get_weights", "set_weights")
_Renderer = Callable[[TrainingEmitter, Action, dict[str, str], str], "str | list[str]"]
_METHODS: dict[str, _Renderer] = {
    "compile": TrainingEmitter.compile,
    "fit": TrainingEmitter.fit,
    "evaluate": TrainingEmitter.evaluate,
    "train_on_batch": TrainingEmitter.on_batch,
    "test_on_batch": TrainingEmitter.on_batch,
    "predict": TrainingEmitter.predict,
    "predict_proba": TrainingEmitter.predict,
    "predict_on_batch": TrainingEmitter.predict,
    "predict_classes": TrainingEmitter.predict_classes,
    "__call__": TrainingEmitter.call,
    "summary": TrainingEmitter.summary,
    "count_params": TrainingEmitter.count_params,
    "save_weights": TrainingEmitter.save,
    "save": TrainingEmitter.save,
    "load_weights": TrainingEmitter.load_weights,
    "get_weights": TrainingEmitter.get_weights,
    "set_weights": TrainingEmitter.set_weights,
    "reset_metrics": TrainingEmitter.reset_metrics,
    "reset_states": TrainingEmitter.reset_states,
}
