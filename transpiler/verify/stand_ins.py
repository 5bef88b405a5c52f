"""What a sliced program meets instead of what it cannot have: missing packages, old module names, data, the network.

Runs in the child process only.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import socket
import sys
import types
from collections.abc import Callable, MutableSequence
from typing import Any, NoReturn

_OLD_LAYERS = (
    "core convolutional pooling normalization advanced_activations recurrent embeddings merge noise local wrappers "
    "merging cudnn_recurrent convolutional_recurrent experimental preprocessing attention regularization reshaping "
    "activation rnn normalization_v2"
).split()
_RENAMED = {f"keras.layers.{name}": "keras.layers" for name in _OLD_LAYERS} | {
    "keras.layers.experimental.preprocessing": "keras.layers", "keras.layers.normalization.batch_normalization":
    "keras.layers", "keras.engine": "keras.layers", "keras.engine.topology": "keras.layers",
    "keras.engine.base_layer": "keras.layers", "keras.engine.training": "keras.models",
    "keras.utils.np_utils": "keras.utils", "keras.utils.generic_utils": "keras.utils",
    "keras.utils.vis_utils": "keras.utils", "keras.utils.data_utils": "keras.utils",
    "keras.utils.layer_utils": "keras.utils", "keras.optimizers.legacy": "keras.optimizers",
    "keras.preprocessing.text": "", "keras.preprocessing.image": "", "keras.datasets.mnist": "keras.datasets.mnist",
}  # fmt: skip
_UNKNOWN = 7  # for a number that only the whole program would have
_ROOTS = ("tensorflow.compat.v1.keras", "tensorflow.python.keras", "tensorflow.contrib.keras", "tensorflow.keras")


class Stub(int):
    """Stands for anything that is not there, such as a missing package or a training history; and for a number."""

    def __new__(cls, *_: Any) -> Stub:  # noqa: PYI034 - what is derived from it is made by `type`
        """Make one of any arguments: a class may be derived from a stub."""
        return super().__new__(cls, _UNKNOWN)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stub()

    def __call__(self, *args: Any, **kwargs: Any) -> Stub:
        return Stub()

    def __getitem__(self, key: Any) -> Stub:
        return Stub()

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return _UNKNOWN


class _Missing(types.ModuleType):
    """A package that is not installed: importing it works, whatever is in it is a stub."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 - as modules have it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stub()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked last: gives old names of Keras' modules their new ones, and missing packages a stub."""

    def __init__(self, keras: Any) -> None:
        self.keras = keras

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """Take every import of the program that nobody else could serve."""
        importer = _importing_file()
        if importer != "<program>" and not name.startswith(("keras", "tensorflow")):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        """Return the module that stands for the name."""
        twin = self._twin(spec.name)
        if twin is not None:
            return _Alias(spec.name, twin)
        if spec.name == "tensorflow":
            return _TensorFlow(spec.name, self.keras)
        return _Missing(spec.name)

    def exec_module(self, module: Any) -> None:
        """Nothing is left to do."""

    def _twin(self, name: str) -> Any:
        for root in _ROOTS:
            if name == root or name.startswith(f"{root}."):
                name = "keras" + name.removeprefix(root)
        if name.partition(".")[0] != "keras":
            return None
        name = _RENAMED.get(name, name)
        if name == "keras":
            return self.keras
        if not name or name in sys.modules:
            return sys.modules.get(name)
        return _imported(name)


class _Alias(types.ModuleType):
    """A module under another name."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 - as modules have it

    def __init__(self, name: str, twin: Any) -> None:
        super().__init__(name)
        self.__dict__["_twin"] = twin
        public = getattr(twin, "__all__", None) or [key for key in vars(twin) if not key.startswith("_")]
        self.__all__ = list(public)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_twin"], name)


class _TensorFlow(types.ModuleType):
    """TensorFlow where it is not installed: only ``tf.keras`` is there."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 - as modules have it

    def __init__(self, name: str, keras: Any) -> None:
        super().__init__(name)
        self.keras = keras

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"tensorflow is not installed, and the model needs `tf.{name}`")


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _importing_file() -> str:
    """The file of the import statement that is being executed."""
    frame = inspect.currentframe()
    while frame is not None:
        name = frame.f_code.co_filename
        if "importlib" not in name and name != __file__:
            return name
        frame = frame.f_back
    return ""


def install(keras: Any) -> None:
    """Put the stand-ins in place: imports, network, everything of a model that is not building it."""
    sys.meta_path.append(Finder(keras))
    _close_network()
    for name in _ACTIONS:
        if hasattr(keras.Model, name):
            setattr(keras.Model, name, _idle(name))
    keras.utils.plot_model = _idle("plot_model")
    applications = keras.applications
    for module in [m for m in vars(applications).values() if inspect.ismodule(m)]:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and "weights" in inspect.signature(value).parameters:
                wrapped = _untrained(value)
                setattr(module, name, wrapped)
                if getattr(applications, name, None) is value:
                    setattr(applications, name, wrapped)


_ACTIONS = (
    "compile fit evaluate predict summary save save_weights load_weights train_on_batch test_on_batch fit_generator "
    "predict_on_batch export"
).split()


def _idle(name: str) -> Callable[..., Stub]:
    def idle(*args: Any, **kwargs: Any) -> Stub:
        return Stub()

    return idle


def _untrained(build: Callable[..., Any]) -> Callable[..., Any]:
    """An application without its download: all weights are redrawn anyway."""
    signature = inspect.signature(build)

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.arguments["weights"] = None
        return build(*bound.args, **bound.kwargs)

    return call


def _close_network() -> None:
    socket.socket.connect = _no_network  # type: ignore[method-assign]
    socket.create_connection = _no_network
    socket.getaddrinfo = _no_network


def _no_network(*args: Any, **kwargs: Any) -> NoReturn:
    raise OSError("the program asks for the network, which it does not get here")
