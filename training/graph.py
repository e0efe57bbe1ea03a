"""The classifier as an ONNX graph, written tensor by tensor: exported, it is 1.5 times slower.

One text a run: there is no mask, so batches hold texts of one length. What is known of
onnxruntime on CPUs: `MultiHeadAttention` beats `Attention`, `Add` and `LayerNormalization` beat
`SkipLayerNormalization`, a bias belongs into the matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.activations import HEAD, Range
from training.arrays import Floats
from training.encoder import EPSILON, HEADS, WIDTH, layer_count
from training.framing import END
from training.heads import Head
from training.network import VERY_NEGATIVE
from training.quantise import four_bit_rows, int8_matrix, smoothing_factors

Weights: TypeAlias = Mapping[str, Floats]
Attribute: TypeAlias = int | float | Sequence[int]

INPUT: Final = "input_ids"
PROBABILITIES: Final = "probs"
POOLED: Final = "pooled"
_MICROSOFT: Final = "com.microsoft"
_OPSET: Final = 18


@dataclass(frozen=True, slots=True)
class Form:
    """What kind of graph is wanted.

    Attributes:
        activations: ranges for int8; None for float32.
    """

    activations: Mapping[str, Range] | None


class _Nodes:
    """Collects nodes and constants; values are named by their place."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, inputs: list[str], domain: str = "", **attributes: Attribute) -> str:
        return self.add_many(kind, inputs, 1, domain, **attributes)[0]

    def add_many(
        self,
        kind: str,
        inputs: list[str],
        outputs: int,
        domain: str = "",
        **attributes: Attribute,
    ) -> list[str]:
        number = len(self.nodes)
        names = [f"v{number}_{i}" for i in range(outputs)]
        node = helper.make_node(kind, inputs, names, name=f"{kind}_{number}", domain=domain)
        node.attribute.extend(helper.make_attribute(*each) for each in sorted(attributes.items()))
        self.nodes.append(node)
        return names

    def rename(self, value: str, name: str) -> None:
        """Gives a value that nothing has used yet its final name."""
        for node in self.nodes:
            for place, output in enumerate(node.output):
                if output == value:
                    node.output[place] = name


def build(weights: Weights, form: Form, head: Head | None) -> onnx.ModelProto:
    """The graph: token ids [texts, tokens] to `probs`, or without a head to `pooled`."""
    nodes = _Nodes()
    x = _embedded(nodes, weights)
    early = x
    layers = layer_count(weights)
    for layer in range(layers):
        x = _layer(nodes, weights, form, layer, x)
        if layer + 1 == layers // 2:
            early = x
    pooled = _pools(nodes, weights, early, x)
    if head is None:
        nodes.rename(pooled, POOLED)
        output, width = POOLED, WIDTH * (2 + len(weights["queries"]))
    else:
        nodes.rename(_judged(nodes, form, pooled, head), PROBABILITIES)
        output, width = PROBABILITIES, len(head.output_bias)
    return _model(nodes, output, width)


def _model(nodes: _Nodes, output: str, width: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes.nodes,
        "guardproxy",
        [helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["texts", width])],
        nodes.constants,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _embedded(nodes: _Nodes, weights: Weights) -> str:
    packed, scales = four_bit_rows(weights["words.weight"])
    words = nodes.add(
        "GatherBlockQuantized",
        [nodes.constant("words", packed), INPUT, nodes.constant("words_scale", scales)],
        _MICROSOFT,
        bits=4,
        block_size=32,
        gather_axis=0,
        quantize_axis=1,
    )
    length = nodes.add("Shape", [INPUT], start=1, end=2)
    zero = nodes.constant("zero", np.array([0], np.int64))
    places = nodes.add(
        "Slice", [nodes.constant("positions", weights["positions"]), zero, length, zero]
    )
    return _normed(nodes, weights, "norm", nodes.add("Add", [words, places]))


def _normed(nodes: _Nodes, weights: Weights, name: str, x: str) -> str:
    scale = nodes.constant(f"{name}.weight", weights[f"{name}.weight"])
    bias = nodes.constant(f"{name}.bias", weights[f"{name}.bias"])
    return nodes.add("LayerNormalization", [x, scale, bias], axis=-1, epsilon=EPSILON)


def _layer(nodes: _Nodes, weights: Weights, form: Form, layer: int, x: str) -> str:
    def of(name: str) -> Floats:
        return weights[f"layers.{layer}.{name}"]

    values, bias, out, after = _smoothed_values(weights, form, layer)
    together = _product(
        nodes,
        form,
        f"{layer}.qkv",
        x,
        matrix=np.concatenate([of("q.weight"), of("k.weight"), values]),
        bias=np.concatenate([of("q.bias"), of("k.bias"), bias]),
    )
    split = nodes.add_many("Split", [together], 3, axis=-1, num_outputs=3)
    mixed = nodes.add("MultiHeadAttention", split, _MICROSOFT, num_heads=HEADS)
    back = _product(
        nodes, form, f"{layer}.ao", mixed, matrix=out, bias=of("ao.bias"), smoothed=after
    )
    x = _normed(nodes, weights, f"layers.{layer}.aln", nodes.add("Add", [back, x]))
    inner = _product(nodes, form, f"{layer}.fi", x, matrix=of("fi.weight"), bias=of("fi.bias"))
    inner = nodes.add("Gelu", [inner], _MICROSOFT)
    outer = _product(nodes, form, f"{layer}.fo", inner, matrix=of("fo.weight"), bias=of("fo.bias"))
    return _normed(nodes, weights, f"layers.{layer}.oln", nodes.add("Add", [outer, x]))


def _smoothed_values(
    weights: Weights, form: Form, layer: int
) -> tuple[Floats, Floats, Floats, Range | None]:
    """Value and output matrices of an attention, smoothed at no cost: one undoes the other."""
    values, bias, out = (
        weights[f"layers.{layer}.{name}"] for name in ("v.weight", "v.bias", "ao.weight")
    )
    if form.activations is None:
        return values, bias, out, None
    before = form.activations[f"{layer}.ao"]
    factors = smoothing_factors(out.T, before)
    after = before.scaled(1 / factors)
    return values / factors[:, None], bias / factors, out * factors[None], after


def _product(
    nodes: _Nodes,
    form: Form,
    name: str,
    x: str,
    *,
    matrix: Floats,
    bias: Floats,
    smoothed: Range | None = None,
) -> str:
    """A value times a matrix [outputs, inputs], plus bias; `smoothed` if it is so already."""
    turned = np.ascontiguousarray(matrix.T)
    bias_name = nodes.constant(f"{name}.bias", bias.astype(np.float32))
    if form.activations is None:
        return nodes.add("Add", [nodes.add("MatMul", [x, nodes.constant(name, turned)]), bias_name])
    given = smoothed
    if given is None:
        factors = smoothing_factors(turned, form.activations[name])
        x = nodes.add("Mul", [x, nodes.constant(f"{name}.smooth", 1 / factors)])
        turned = turned * factors[:, None]
        given = form.activations[name].scaled(1 / factors)
    packed = int8_matrix(turned, given)
    scale = nodes.constant(f"{name}.in_scale", np.array(packed.input_scale))
    zero = nodes.constant(f"{name}.in_zero", np.array(packed.input_zero))
    whole = nodes.add("QuantizeLinear", [x, scale, zero])
    table = nodes.constant(name, packed.weights)
    scales = nodes.constant(f"{name}.scale", packed.scales)
    inputs = [whole, table, scale, scales, zero, "", bias_name]
    return nodes.add("MatMulIntegerToFloat", inputs, _MICROSOFT)


def _pools(nodes: _Nodes, weights: Weights, early: str, last: str) -> str:
    """As `network.pools`, for texts without padding."""
    mean, hidden = _own(nodes)
    means = [nodes.add("MatMul", [mean, x]) for x in (early, last)]
    queries = nodes.constant("queries", np.ascontiguousarray(weights["queries"].T))
    scores = nodes.add("Transpose", [nodes.add("MatMul", [last, queries])], perm=[0, 2, 1])
    shares = nodes.add("Softmax", [nodes.add("Add", [scores, hidden])], axis=2)
    looked_at = nodes.add("MatMul", [shares, last])
    together = nodes.add("Concat", [*means, looked_at], axis=1)
    return nodes.add("Flatten", [together], axis=1)


def _own(nodes: _Nodes) -> tuple[str, str]:
    """As `network.own`: [texts, 1, tokens], shares of a mean over the text that is judged, and 0
    for its tokens, very negative for those before it.
    """
    tokens = nodes.constant("token_axis", np.array([1], np.int64))
    one = nodes.constant("one", np.array(1, np.float32))
    end = nodes.add("Equal", [INPUT, nodes.constant("end", np.array(END, np.int64))])
    ends = nodes.add("Cast", [end], to=TensorProto.FLOAT)
    axis = nodes.constant("token_place", np.array(1, np.int64))
    before = nodes.add("CumSum", [ends, axis], exclusive=1)
    least = nodes.add("Sub", [nodes.add("ReduceSum", [ends, tokens]), one])
    own = nodes.add("Cast", [nodes.add("GreaterOrEqual", [before, least])], to=TensorProto.FLOAT)
    mean = nodes.add("Div", [own, nodes.add("ReduceSum", [own, tokens])])
    far = nodes.constant("very_negative", np.array(VERY_NEGATIVE, np.float32))
    hidden = nodes.add("Mul", [nodes.add("Sub", [one, own]), far])
    return nodes.add("Unsqueeze", [mean, tokens]), nodes.add("Unsqueeze", [hidden, tokens])


def _judged(nodes: _Nodes, form: Form, pooled: str, head: Head) -> str:
    # A million weights for one text: in float32 reading them takes a twentieth of the whole time.
    inner = _product(nodes, form, HEAD, pooled, matrix=head.hidden_weight, bias=head.hidden_bias)
    inner = nodes.add("Relu", [inner])
    logits = nodes.add(
        "Gemm",
        [
            inner,
            nodes.constant("head.out", head.output_weight),
            nodes.constant("head.out_bias", head.output_bias),
        ],
        transB=1,
    )
    return nodes.add("Sigmoid", [logits])
