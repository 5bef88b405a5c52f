"""From a torch graph to the source of its class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from transpiler.emit.attributes import Attribute, Planner, item_access, module_code
from transpiler.emit.describe import describe
from transpiler.emit.forward import comment_text, render_forward
from transpiler.emit.graph import Graph, analyse
from transpiler.emit.initializers import InitPlan, plan_init, render_init_weights
from transpiler.emit.lines import build_lines, is_generic
from transpiler.emit.names import FILE_NAMES
from transpiler.emit.parameters import CtorParam, Parameters, collect, nested_arguments
from transpiler.emit.penalties import penalty_lines
from transpiler.graph.keras import CustomModel
from transpiler.graph.symbolic import Expr
from transpiler.graph.torch import BUFFER, FIRST, Module, TorchModel, Value
from transpiler.template_env import environment

__all__ = ["CtorParam", "EmitOptions", "RenderedModel", "render_init_weights", "render_model"]

IMPORTS = (
    (r"\bmath\.", "import math"),
    (r"(?<![\w.])torch\.", "import torch"),
    (r"\bnn\.", "from torch import nn"),
    (r"\bTensor\b", "from torch import Tensor"),
    (r"(?<![\w.])F\.", "from torch.nn import functional as F"),
)


@dataclass(frozen=True)
class EmitOptions:
    """How to print a class.

    ``keras_init``: draw initial weights as Keras does. ``instances``: modules (by ``id`` of the :class:`Module` or of
    its nested :class:`TorchModel`) that are made outside the class and shared with it, with the source text that
    names them where the model is built; they become constructor parameters. ``pretrained``: how a nested model that
    is made in the class gets its weights, by ``id`` of its :class:`TorchModel`: a text with ``{}`` for its
    constructor.
    """

    keras_init: bool = True
    instances: Mapping[int, str] = field(default_factory=dict)
    pretrained: Mapping[int, str] = field(default_factory=dict)


@dataclass
class RenderedModel:
    """The class of one model.

    ``paths`` gives the state-dict prefix of every module by ``id``. ``helpers`` are names of helper templates that
    the file needs. ``init_kinds`` says what `init_weights` must cover for this class (see
    :func:`render_init_weights`).
    """

    code: str
    class_name: str
    params: list[CtorParam]
    paths: dict[int, str]
    helpers: list[str]
    imports: set[str]
    init_kinds: set[str]
    has_penalties: bool = False
    input_names: list[str] = field(default_factory=list)

    @property
    def constructor(self) -> str:
        """The expression that builds the model where the source built it."""
        return f"{self.class_name}({', '.join(param.source for param in self.params)})"


def render_model(
    tm: TorchModel,
    class_name: str,
    *,
    docstring: str = "",
    helper_names: Mapping[str, str] | None = None,
    submodels: Mapping[int, str] | None = None,
    options: EmitOptions | None = None,
) -> RenderedModel:
    """Print the class of a model.

    ``helper_names`` renames what helper templates define, where their own names are taken in this file.
    ``submodels`` gives the class names of nested models by ``id`` of their :class:`TorchModel`.
    """
    return _Renderer(tm, class_name, docstring, helper_names or {}, submodels or {}, options or EmitOptions()).run()


class _Renderer:
    """The work of one :func:`render_model`."""

    def __init__(
        self,
        tm: TorchModel,
        class_name: str,
        docstring: str,
        helper_names: Mapping[str, str],
        submodels: Mapping[int, str],
        options: EmitOptions,
    ) -> None:
        self.tm = tm
        self.class_name = class_name
        self.docstring = docstring
        self.helper_names = helper_names
        self.submodels = submodels
        self.options = options
        self.graph: Graph = analyse(tm)
        taken = set(FILE_NAMES) | set(helper_names.values()) | set(submodels.values())
        self.parameters: Parameters = collect(tm, submodels, options.instances, taken)

    def run(self) -> RenderedModel:
        """Lay out, print, and gather what the file needs."""
        planner = Planner(self.graph, self._make, self.parameters.leaf_name, self.parameters.injected)
        layout = planner.run()
        modules = self.graph.modules()
        own = [m for m in modules if id(m) not in self.parameters.injected]
        init = plan_init(own, layout) if self.options.keras_init else InitPlan()
        fixed = [m for m in own if m.layer is not None and m.layer.untrained and m.weights]
        init.lines += [f"{layout.expression(module)}.requires_grad_(False)" for module in fixed]
        lines = build_lines(self.graph, layout.steps, layout.callee, layout.noted)
        forward = render_forward(self.graph, lines, self._input_names())
        penalties = penalty_lines(modules, layout)
        code = environment().get_template("module.py.jinja").render(
            name=self.class_name,
            summary=docstring_text(self._summary()),
            notes=[docstring_text(note) for note in self._notes()],
            params=[param.declaration for param in self.parameters.params],
            init=self._init_lines(layout.attributes, init),
            inputs=forward.signature,
            returns=forward.returns,
            body=[self._renamed(line) for line in forward.body],
            penalties=penalties,
            inference=[layout.paths[id(m)] for m in modules if m.inference],
        )  # fmt: skip
        return RenderedModel(
            code=code,
            class_name=self.class_name,
            params=self.parameters.params,
            paths=layout.paths,
            helpers=self._helpers(own, init),
            imports={line for pattern, line in IMPORTS if re.search(pattern, code)},
            init_kinds=init.kinds,
            has_penalties=bool(penalties),
            input_names=[name for name, _ in forward.params],
        )

    # -- constructor ------------------------------------------------------------------------------------------------
    def _make(self, module: Module) -> str:
        if module.subgraph is None:
            return module_code(module, self.parameters.leaf_name, self.helper_names)
        arguments = nested_arguments(module.subgraph, self.submodels, self.parameters)
        made = f"{self.submodels[id(module.subgraph)]}({arguments})"
        return self.options.pretrained.get(id(module.subgraph), "{}").format(made)

    def _init_lines(self, attributes: list[Attribute], init: InitPlan) -> list[str]:
        """The lines of ``__init__``; nested models stand after `init_weights`, for they have drawn theirs."""
        drawn = init.kinds or init.lines
        late = [a for a in attributes if drawn and (a.injected or a.module is not None and a.module.subgraph)]
        lines = [line for a in attributes if a not in late for line in _attribute_lines(a)]
        if init.kinds:
            lines.append("self.apply(init_weights)")
        lines += [self._renamed(line) for line in init.lines]
        return lines + [line for a in late for line in _attribute_lines(a)]

    def _renamed(self, line: str) -> str:
        """Call helpers by the names that they have in this file."""
        for name, chosen in self.helper_names.items():
            if name != chosen:
                line = re.sub(rf"(?<![\w.]){re.escape(name)}(?=\()", chosen, line)
        return line

    def _helpers(self, own: list[Module], init: InitPlan) -> list[str]:
        names = [name for call in self.graph.calls for name in call.helpers]
        names += [name for module in own for name in module.helpers]
        return list(dict.fromkeys([*names, *init.helpers]))

    # -- words ------------------------------------------------------------------------------------------------------
    def _input_names(self) -> list[str | None]:
        """The source's names of the inputs: the variable, or the ``name=``, or x1, x2 … where there are several."""
        tensors = self.tm.source.input_tensors()
        names: list[str | None] = []
        for index, value in enumerate(self.graph.inputs):
            name = self.graph.hint(value)
            if name is None and index < len(tensors) and len(tensors) == len(self.graph.inputs):
                name = getattr(tensors[index], "name", None)
            if is_generic(name) and name is not None and re.fullmatch(r"input_\d+", name) and len(tensors) == 1:
                name = None
            names.append(name or (f"x{index + 1}" if len(self.graph.inputs) > 1 else None))
        return names

    def _summary(self) -> str:
        summary = self.docstring.strip() or describe(self.graph, dict(self.submodels))
        if self.tm.final_activation is not None and "logit" not in summary.lower():
            summary = f"{summary.rstrip('.')}, returning logits."
        return summary

    def _notes(self) -> list[str]:
        first = [value for value in self.graph.inputs if value.layout == FIRST and value.spec.rank >= 4]
        if not first:
            return []
        if isinstance(self.tm.source, CustomModel) and self.tm.source.is_layer:
            return ["Works in channels-first layout."]
        noun = "images" if first[0].spec.rank == 4 else "volumes"
        shapes = list(dict.fromkeys(_shape_text(value) for value in first))
        return [f"Expects {noun} in channels-first layout, {' and '.join(f'``{shape}``' for shape in shapes)}."]


def shared_instances(tm: TorchModel, owner: TorchModel, paths: Mapping[int, str], name: str) -> dict[int, str]:
    """The modules of ``tm`` that another model has too, for :attr:`EmitOptions.instances`.

    ``paths`` are the owner's; ``name`` is the expression that the source has for the owner (``autoencoder``).
    """
    known = {(id(m.layer), m.suffix): f"{name}.{item_access(paths[id(m)])}" for m in owner.modules() if m.layer}
    known |= {(id(m.subgraph), ""): f"{name}.{item_access(paths[id(m)])}" for m in owner.modules() if m.subgraph}
    keys = ((id(m), (id(m.layer or m.subgraph), m.suffix)) for m in tm.modules())
    return {module: known[key] for module, key in keys if key in known}


def _shape_text(value: Value) -> str:
    """A channels-first shape: ``(N, 1, 28, 28)``, letters for sizes that are free."""
    _, *spatial, channels = value.spec.shape
    letters = ("H", "W") if len(spatial) == 2 else ("D", "H", "W")
    shown = [_dim_text(dim, letter) for dim, letter in zip(spatial, letters, strict=True)]
    return f"({', '.join(['N', _dim_text(channels, 'C'), *shown])})"


def _dim_text(dim: int | Expr | None, letter: str) -> str:
    if dim is None:
        return letter
    return str(dim.value if isinstance(dim, Expr) and dim.known else dim)


def _attribute_lines(attribute: Attribute) -> list[str]:
    comments = [comment_text(text) for text in attribute.comments]
    if attribute.module is not None and attribute.module.cls == BUFFER:
        return [*comments, f'self.register_buffer("{attribute.name}", {attribute.code})']
    if not attribute.children:
        return [*comments, f"self.{attribute.name} = {attribute.code}"]
    lines = [*comments, f"self.{attribute.name} = nn.Sequential("]
    for code, own_comments in attribute.children:
        lines += [f"    {comment_text(text)}" for text in own_comments]
        lines.append(f"    {code},")
    return [*lines, ")"]


def docstring_text(text: str) -> str:
    """Text that is safe inside a docstring: one line, no backslash, no closing quotes."""
    return " ".join(text.split()).replace("\\", "/").replace('"', "'")


def render_models(models: Iterable[RenderedModel]) -> str:
    """The classes one after the other, `init_weights` before them if any needs it."""
    models = list(models)
    kinds = {kind for model in models for kind in model.init_kinds}
    parts = [render_init_weights(kinds), *(model.code for model in models)]
    return "\n\n".join(part for part in parts if part)
