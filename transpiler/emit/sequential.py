"""Which straight chains become ``nn.Sequential``, and what they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from transpiler.emit import graph as kinds
from transpiler.emit.graph import Graph, call_kind
from transpiler.graph.keras import Frame
from transpiler.graph.torch import Call, Module, Value

_LONG = 12  # a feature extractor with more items is cut at its pooling layers
_WEIGHTY = frozenset((kinds.CONV, kinds.LINEAR, kinds.UP))
_SPATIAL = frozenset((kinds.CONV, kinds.POOL, kinds.UP))


@dataclass(eq=False)
class Run:
    """Consecutive calls that become one ``nn.Sequential`` called ``name`` (a wish, made unique later)."""

    calls: list[Call]
    name: str = "layers"
    given: bool = False  # the name is the source's

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.calls[0].inputs

    @property
    def outputs(self) -> tuple[Value, ...]:
        return self.calls[-1].outputs


Step = Call | Run


@dataclass
class Chooser:
    """Decides about runs.

    ``is_named`` says whether the source names a module, so that it keeps its own attribute; ``word`` gives the
    specific name that the source has for a call's result, if any.
    """

    graph: Graph
    is_named: Callable[[Module], bool]
    word: Callable[[Call], str | None]
    kind: dict[int, str] = field(default_factory=dict)
    frames: dict[Frame, Frame] = field(default_factory=dict)
    common: set[Frame] = field(default_factory=set)  # what every call came from

    def steps(self) -> list[Step]:
        """The calls of the graph in order, straight chains gathered in runs."""
        self.kind = {id(call): call_kind(call) for call in self.graph.calls}
        origins = [set(call.origin.frames) for call in self.graph.calls]
        self.common = set.intersection(*origins) if origins else set()
        chains = self._chains()
        whole = len(chains) == 1 and len(self.graph.inputs) == 1 and self.graph.single_output() is not None
        steps: list[Step] = []
        for chain in chains:
            steps += self._whole(chain) if whole else self._branch(chain, chains)
        return steps

    # -- chains -----------------------------------------------------------------------------------------------------
    def _chains(self) -> list[list[Call]]:
        """Cut the calls into maximal straight chains: each call reads the one before it, and nothing else does."""
        chains: list[list[Call]] = []
        for call in self.graph.calls:
            if chains and self._continues(chains[-1][-1], call):
                chains[-1].append(call)
            else:
                chains.append([call])
        return chains

    def _continues(self, before: Call, call: Call) -> bool:
        if len(before.outputs) != 1 or not call.inputs:
            return False
        value = before.outputs[0]
        return all(v is value for v in call.inputs) and self.graph.readers[id(value)] == len(call.inputs)

    def _fits(self, call: Call) -> bool:
        """Whether a call can be an item of an ``nn.Sequential``."""
        if len(call.inputs) != 1 or len(call.outputs) != 1 or call.unpack or call.arguments:
            return False
        if isinstance(call.target, Module):
            module = call.target
            alone = self.graph.module_calls[id(module)] == 1 and module.subgraph is None
            return alone and self._kind(call) != kinds.RNN and not self.is_named(module)
        return call.module_form is not None

    def _kind(self, call: Call) -> str:
        return self.kind[id(call)]

    def _weighty(self, calls: list[Call]) -> int:
        return sum(1 for c in calls if isinstance(c.target, Module) and self._kind(c) in _WEIGHTY)

    # -- a model that is one chain ----------------------------------------------------------------------------------
    def _whole(self, chain: list[Call]) -> list[Step]:
        """A model that is one straight chain: ``net``, or ``features`` and a head."""
        if self._spelled_out(chain):
            return list(chain)
        segments = self._segments(chain)
        if len(segments) == 1 and len(chain) >= 3 and not self._needs_stages(chain):
            return [Run(chain, "net")] if self._fits(chain[0]) else list(chain)
        steps: list[Step] = []
        for position, segment in enumerate(segments):
            if len(segment) < 3 or not self._fits(segment[0]):
                steps += segment
                continue
            steps += self._named_runs(segment, segments[:position], segments[position + 1 :])
        return steps

    def _spelled_out(self, chain: list[Call]) -> bool:
        """Whether the source names so many of the layers that each keeps its attribute."""
        modules = [c for c in chain if isinstance(c.target, Module) and c.target.weights]
        named = [c for c in modules if isinstance(c.target, Module) and (self.is_named(c.target) or self.word(c))]
        return len(modules) > 0 and 2 * len(named) >= len(modules) and len(named) > 1

    def _segments(self, chain: list[Call]) -> list[list[Call]]:
        """Cut a chain where a call cannot be in a Sequential, and at the flattening of feature maps."""
        segments: list[list[Call]] = [[]]
        spatial = False
        for call in chain:
            spatial = spatial or self._kind(call) in _SPATIAL
            if not self._fits(call) or (spatial and self._kind(call) == kinds.FLATTEN):
                segments += [[call], []]
            else:
                segments[-1].append(call)
        return [segment for segment in segments if segment]

    def _needs_stages(self, calls: list[Call]) -> bool:
        turning = any(self._kind(call) == kinds.UP for call in calls)
        long = len(calls) > (_LONG // 2 if turning else _LONG)
        return long and self._weighty(calls) > 2 and len(self._stages(calls)) > 1

    def _named_runs(self, segment: list[Call], before: list[list[Call]], after: list[list[Call]]) -> list[Step]:
        stages = self._stages(segment) if self._needs_stages(segment) else [segment]
        if len(stages) > 1:
            return [Run(stage, self._stage_name(stage, stages)) for stage in stages]
        return [Run(segment, self._segment_name(segment, before, after))]

    def _segment_name(self, segment: list[Call], before: list[list[Call]], after: list[list[Call]]) -> str:
        found = {self._kind(call) for call in segment}
        earlier = {self._kind(call) for other in before for call in other}
        later = {self._kind(call) for other in after for call in other}
        if kinds.UP in found:
            return "decoder" if kinds.CONV in earlier else "deconv"
        if kinds.CONV in found:
            return "head" if kinds.CONV in earlier and not later & _WEIGHTY else "features"
        if kinds.UP in later:
            return "project"
        if not later & _WEIGHTY:
            return "classifier" if kinds.CONV in earlier else "head"
        return "layers"

    # -- long feature extractors ------------------------------------------------------------------------------------
    def _stages(self, calls: list[Call]) -> list[list[Call]]:
        """Cut at the source's helper calls or loop turns, else after each pooling, an autoencoder where it turns."""
        turn = next((i for i, c in enumerate(calls) if self._kind(c) == kinds.UP), None)
        if turn:
            start = self._turning_point(calls, turn)
            if any(self._kind(c) in (kinds.CONV, kinds.LINEAR) for c in calls[:start]):
                return [calls[:start], calls[start:]]
            return [calls]
        by_frame = self._joined(self._by_frame(calls))
        tidy = 2 <= len(by_frame) <= _LONG and all(len(stage) >= 2 for stage in by_frame)
        by_pool = self._joined(self._by_pool(calls))
        helpers = any(self._helper(stage[0]) for stage in by_frame)
        return by_frame if tidy and (helpers or len(by_pool) == 1) else by_pool

    def _by_pool(self, calls: list[Call]) -> list[list[Call]]:
        stages: list[list[Call]] = [[]]
        for call in calls:
            stages[-1].append(call)
            if self._kind(call) == kinds.POOL:
                stages.append([])
        return [stage for stage in stages if stage]

    def _by_frame(self, calls: list[Call]) -> list[list[Call]]:
        stages: list[list[Call]] = []
        for call in calls:
            if stages and self._frame(stages[-1][-1]) is self._frame(call):
                stages[-1].append(call)
            else:
                stages.append([call])
        return stages

    def _turning_point(self, calls: list[Call], turn: int) -> int:
        """Where the decoder begins: after the last pooling before the first upsampling, if there is one."""
        pools = [i for i in range(turn) if self._kind(calls[i]) == kinds.POOL]
        return pools[-1] + 1 if pools else turn

    def _joined(self, stages: list[list[Call]]) -> list[list[Call]]:
        """Join what holds no weights to the stage before it."""
        joined: list[list[Call]] = []
        for stage in stages:
            if joined and not self._weighty(stage):
                joined[-1] = joined[-1] + stage
            else:
                joined.append(stage)
        return joined

    def _stage_name(self, stage: list[Call], stages: list[list[Call]]) -> str:
        if any(self._kind(c) == kinds.UP for c in stages[-1]) and len(stages) == 2:
            codes = any(self._kind(c) == kinds.CONV for c in stages[0])
            return ("encoder" if codes else "project", "decoder" if codes else "deconv")[stage is stages[1]]
        return self._helper(stage[0]) or "stage"

    # -- a chain inside a larger graph ------------------------------------------------------------------------------
    def _branch(self, chain: list[Call], chains: list[list[Call]]) -> list[Step]:
        """Gather the parts of a chain that hold two or more weighty layers."""
        steps: list[Step] = []
        part: list[Call] = []
        for call in [*chain, None]:
            if call is not None and self._fits(call):
                if part and self._parts(part[-1], call):
                    steps += self._part(part, last=False)
                    part = []
                part.append(call)
                continue
            steps += self._part(part, last=call is None and chain is chains[-1])
            part = []
            if call is not None:
                steps.append(call)
        return steps

    def _part(self, part: list[Call], last: bool) -> list[Step]:
        lead = self._lead(part)
        rest = part[lead:]
        words = {word for c in rest if (word := self.word(c)) is not None}
        if words and words == {self.word(rest[-1])} and (len(rest) >= 3 or self._weighty(rest) >= 2):
            return [*part[:lead], Run(rest, words.pop(), given=True)] if self._weighty(rest) else list(part)
        if len(rest) < 3 or self._weighty(rest) < 2:
            return list(part)
        return [*part[:lead], Run(rest, self._branch_name(rest, last))]

    def _helper(self, call: Call) -> str | None:
        """The function of the source that made a part of the model, by its innermost call."""
        frame = self._frame(call)
        return None if frame is None or frame.kind != "call" else frame.name.rpartition(".")[2]

    def _frame(self, call: Call) -> Frame | None:
        """The outermost function call or loop turn that not all of the model came from."""
        for frame in call.origin.frames:
            if frame not in self.common:
                return self.frames.setdefault(frame, frame)
        return None

    def _parts(self, before: Call, call: Call) -> bool:
        """Whether two steps of a chain belong to different parts: of another helper call, or named otherwise."""
        if self._frame(call) is not self._frame(before):
            return True
        words = self.word(before), self.word(call)
        return words[0] is not None and words[0] != words[1]

    def _lead(self, part: list[Call]) -> int:
        """How many calls at the front belong to what came before: activations, pooling, dropout."""
        for index, call in enumerate(part):
            if self._kind(call) in (*_WEIGHTY, kinds.NORM, kinds.PAD):
                return index
        return len(part)

    def _branch_name(self, calls: list[Call], last: bool) -> str:
        helper = self._helper(calls[0])
        if helper is not None:
            return helper
        found = {self._kind(call) for call in calls}
        convs = [call for call in self.graph.calls if self._kind(call) == kinds.CONV]
        if convs and all(call in calls for call in convs) and kinds.UP not in found:
            return "features"
        if found & {kinds.CONV, kinds.UP}:
            return "head" if last and len(found) <= 2 and kinds.NORM not in found else "block"
        return "head" if last else "mlp"
