"""Class names: from what the source calls a model, or from the file; numbers only where nothing else tells."""

from __future__ import annotations

import builtins
import re
from collections.abc import Container
from functools import lru_cache

from transpiler.emit import graph as kinds
from transpiler.emit.graph import class_kind
from transpiler.graph.keras import Layer, Model
from transpiler.template_env import template_directory

_VERBS = frozenset(
    """build builder create creates creating make get define construct init initialize setup load generate new return
    compile compiled prepare fn func function""".split()
)
_FILLERS = frozenset(
    """model models net nets network networks nn keras tf tensorflow the a an my our this simple basic base baseline
    example examples demo main train training test run script tutorial code file notebook untitled final full seq
    sequential functional api instance obj best chapter lesson lecture section part exercise week day homework
    for with from using and of in on to by v py ipynb string stdin m
    """.split()
)
_WORDS = {
    "cnn": "CNN", "rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "gan": "GAN", "dcgan": "DCGAN", "wgan": "WGAN",
    "cgan": "CGAN", "acgan": "ACGAN", "vae": "VAE", "cvae": "CVAE", "mlp": "MLP", "dnn": "DNN", "fcn": "FCN",
    "ann": "ANN", "dqn": "DQN", "unet": "UNet", "resnet": "ResNet", "densenet": "DenseNet", "mobilenet": "MobileNet",
    "lenet": "LeNet", "alexnet": "AlexNet", "googlenet": "GoogLeNet", "vggnet": "VGGNet", "vgg": "VGG",
    "segnet": "SegNet", "convnet": "ConvNet", "squeezenet": "SqueezeNet", "efficientnet": "EfficientNet",
    "wavenet": "WaveNet", "pointnet": "PointNet", "autoencoder": "Autoencoder", "bilstm": "BiLSTM",
    "convlstm": "ConvLSTM", "seq2seq": "Seq2Seq", "vnet": "VNet", "fpn": "FPN", "ctc": "CTC", "ocr": "OCR",
    "nlp": "NLP", "ncf": "NCF", "vit": "ViT", "gpt": "GPT", "bert": "BERT", "srgan": "SRGAN", "srcnn": "SRCNN",
    "cyclegan": "CycleGAN", "ae": "AE", "dae": "DAE", "rbm": "RBM", "td": "TD", "fasttext": "FastText",
    "xception": "Xception", "inception": "Inception", "cnn1d": "CNN1d", "cnn2d": "CNN2d", "cnn3d": "CNN3d",
}  # fmt: skip
_TORCH = frozenset(
    """Tensor F Module Sequential Dataset DataLoader TensorDataset Linear Bilinear Embedding Dropout Flatten Identity
    Softmax Sigmoid Tanh ReLU LSTM GRU RNN Transformer Upsample""".split()
)
_TAKEN = frozenset(dir(builtins)) | _TORCH


def class_name_for(model: Model, filename: str) -> str:
    """A class name for a model: from its variable or builder, its ``name=``, the file, or what it consists of."""
    if model.application:
        return model.application.rpartition(".")[2]
    stem = re.sub(r"\.(py|ipynb)$", "", re.split(r"[/\\]", filename)[-1])
    hint = (model.hint or "").rpartition(".")[2]
    given = model.name if model.explicit_name else ""
    sources = [model.builder or "", hint, given, "" if stem.startswith("<") else stem]
    for text in sources:
        name = _name_from(text)
        if name:
            return name
    return _by_content(model)


def _name_from(text: str) -> str:
    words = [word for word in _split(text) if word.rstrip("0123456789") not in (*_FILLERS, *_VERBS, "")]
    if not words or all(len(word) == 1 for word in words):
        return ""
    name = "".join(_camel(word) for word in words)
    if name[0].isdigit():
        name = f"Net{name}"
    return f"{name}Net" if name in _TAKEN or name in _helper_names() else name


@lru_cache(maxsize=1)
def _helper_names() -> frozenset[str]:
    """What the helper templates define: a model's class must not be called so."""
    texts = [path.read_text(encoding="utf-8") for path in (template_directory() / "helpers").glob("*.jinja")]
    return frozenset(name for text in texts for name in re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE))


def _camel(word: str) -> str:
    if word in _WORDS:
        return _WORDS[word]
    match = re.fullmatch(r"([a-z]+?)(\d+\w*)", word)
    if match and match[1] in _WORDS:
        return _WORDS[match[1]] + match[2]
    return word[0].upper() + word[1:]


def _split(text: str) -> list[str]:
    """Lower-case words of a snake- or camel-case name: ``mnist_cnn``, ``buildUNet``, ``U-Net``."""
    text = re.sub(r"[^0-9A-Za-z]+", "_", text)
    text = re.sub(r"U_?Net|(?<![A-Za-z])[uU]_?[nN]et", "_unet", text)
    text = re.sub(r"Res_?[Nn]et|(?<![A-Za-z])res_?net", "_resnet", text)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    text = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return [word for word in text.lower().split("_") if word]


def _by_content(model: Model) -> str:
    """A name for what the model is made of."""
    found = {_layer_kind(layer) for layer in model.layers if isinstance(layer, Layer)}
    for kind, name in ((kinds.CONV, "CNN"), ("LSTM", "LSTMNet"), ("GRU", "GRUNet"), (kinds.RNN, "RNN")):
        if kind in found:
            return name
    return "MLP" if kinds.LINEAR in found else "Net"


def _layer_kind(layer: Layer) -> str:
    leaf = layer.symbol.rpartition(".")[2]
    if leaf in ("LSTM", "GRU"):
        return leaf
    return kinds.LINEAR if leaf == "Dense" else class_kind(leaf)


def free_name(name: str, classes: Container[str], program: Container[str]) -> str:
    """A form of ``name`` that neither another model's class has nor anything else in the program."""
    if name in program and name not in classes:
        name = f"{name}Model" if name.endswith("Net") else f"{name}Net"
    number, result = 2, name
    while result in classes or result in program:
        result, number = f"{name}{'_' if name[-1].isdigit() else ''}{number}", number + 1
    return result
