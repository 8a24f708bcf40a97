"""A convolution whose result is cut into two halves becomes two convolutions, and the cut goes."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, helper, numpy_helper


def part_halves(model: ModelProto) -> None:
    """Rewrite every Conv, Relu and pair of Slices that halves the channels, in place.

    The answers stay the same, and no slice stands between two int8 convolutions any more.
    """
    graph = model.graph
    weights = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    for relu in [node for node in graph.node if node.op_type == "Relu"]:
        users = [node for node in graph.node if relu.output[0] in node.input]
        cuts = [node for node in users if node.op_type == "Slice"]
        if len(cuts) != 2:
            continue
        # The first half starts at a constant 0, the second where a formula of the shape says.
        cuts.sort(key=lambda cut: int(weights[cut.input[1]][0]) if cut.input[1] in weights else 1)
        conv = maker[relu.input[0]]
        kernel, bias = (weights[name] for name in conv.input[1:])
        half = len(kernel) // 2
        for i, cut in enumerate(cuts):
            mine = slice(i * half, (i + 1) * half)
            names = [f"{conv.name}/half_{i}/{part}" for part in ("kernel", "bias", "out")]
            for name, values in zip(names, (kernel, bias), strict=False):
                graph.initializer.append(numpy_helper.from_array(values[mine].copy(), name))
            part = helper.make_node("Conv", [conv.input[0], *names[:2]], names[2:], names[2])
            part.attribute.extend(conv.attribute)
            at = list(graph.node).index(cut)
            graph.node.remove(cut)
            graph.node.insert(at, helper.make_node("Relu", names[2:], [cut.output[0]], cut.name))
            graph.node.insert(at, part)
    _drop_unused(model)


def _drop_unused(model: ModelProto) -> None:
    graph = model.graph
    wanted = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    initializers = [item for item in graph.initializer if item.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(initializers)
