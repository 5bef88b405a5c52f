"""A random program that is run as it grows: a line that Keras refuses is left out."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzz.catalogue import Shape

HEAD = "import keras\nfrom keras import layers, ops\n"
LARGEST = 4000  # numbers in one tensor
UNKNOWN = 8  # what stands for a size that the program leaves open


class Drawing:
    """A program that grows; ``scope`` is what Keras has made of it so far."""

    def __init__(self, seed: int) -> None:
        import keras

        keras.utils.clear_session(free_memory=False)
        self.rng = Random(seed)
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {}
        self.tensors: list[str] = []
        self.inputs: list[str] = []
        self.used: set[str] = set()
        self.count = 0
        exec(HEAD, self.scope)

    def name(self, stem: str = "x") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def add(self, text: str, *made: str, of: tuple[str, ...] = ()) -> bool:
        """Run the statement; keep it, and the tensors that it makes, if Keras does."""
        before = dict(self.scope)
        try:
            exec(text, self.scope)
            for each in made:
                shape = self.shape(each)
                size = 1
                for n in shape:
                    size *= n
                if not 1 <= len(shape) <= 4 or not 0 < size <= LARGEST:
                    raise ValueError(each)
        except Exception:  # noqa: BLE001 - whatever Keras does not take is not part of the program
            self.scope = before
            return False
        self.lines.append(text)
        self.tensors += made
        self.used.update(of)
        return True

    def shape(self, name: str) -> Shape:
        return tuple(UNKNOWN if n is None else int(n) for n in self.scope[name].shape[1:])

    def pick(self) -> str:
        """A tensor to go on from: mostly a late one."""
        return self.tensors[-1] if self.rng.random() < 0.6 else self.rng.choice(self.tensors)
