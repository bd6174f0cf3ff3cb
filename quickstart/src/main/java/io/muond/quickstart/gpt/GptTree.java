package io.muond.quickstart.gpt;

import static java.util.stream.Collectors.joining;

import io.muond.modular.ModuleJson;
import io.muond.v1.Module;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The network as a module tree, which is where learning rates and the Lipschitz bound come from:
 * what the compound {@code gpt} is short for, with radii of its own and a bias at the end.
 */
final class GptTree {
  private static final String BLOCK =
      """
      {"sum": [
        {"scale": {"factor": %1$s, "of": {"bond": {"kind": "identity"}}}},
        {"scale": {"factor": %2$s, "of": {"sequence": [
          {"tuple": [
            {"sequence": [%3$s, {"bond": {"kind": "split_heads"}}]},
            {"sequence": [
              {"tuple": [
                {"sequence": [%4$s, {"bond": {"kind": "split_heads"}}]},
                {"sequence": [%5$s, {"bond": {"kind": "split_heads"}}]}]},
              {"bond": {"kind": "rope"}},
              {"bond": {"kind": "attention_qk"}},
              {"bond": {"kind": "causal_mask"}},
              {"bond": {"kind": "softmax", "scale": 1}}]}]},
          {"scale": {"factor": 0.3333333333333333, "of": {"bond": {"kind": "attention_apply"}}}},
          {"bond": {"kind": "merge_heads"}},
          %6$s]}}}]},
      {"sum": [
        {"scale": {"factor": %1$s, "of": {"bond": {"kind": "identity"}}}},
        {"scale": {"factor": %2$s, "of": {"sequence": [
          %7$s, {"bond": {"kind": "gelu"}}, %8$s]}}}]}""";

  /**
   * Masses: of a step the blocks take three parts together, the embedding and the head one each.
   */
  private static final String NETWORK =
      """
      {"sequence": [
        {"embed": {"name": "embed", "rows": %1$s, "columns": %2$s, "radius": %3$s}},
        {"mass": {"absolute": 3, "of": {"sequence": [%4$s]}}},
        %5$s,
        {"bias": {"name": "bias", "size": %1$s, "mass": 0.1, "rule": {"adamw": {"beta2": 0.99}}}}]}""";

  private final GptShape shape;
  private final Map<String, Double> stretches;

  private GptTree(GptShape shape, Map<String, Double> stretches) {
    this.shape = shape;
    this.stretches = stretches;
  }

  /**
   * The tree.
   *
   * @param stretches by how much each weight may stretch root mean squares
   */
  static Module of(GptShape shape, Map<String, Double> stretches) {
    return new GptTree(shape, stretches).network();
  }

  private Module network() {
    String blocks =
        IntStream.range(0, shape.blocks()).mapToObj(this::block).collect(joining(",\n"));
    return ModuleJson.parse(
        NETWORK.formatted(
            shape.vocabulary(),
            shape.width(),
            stretches.get("embed") * Math.sqrt(shape.width()),
            blocks,
            linear("head")));
  }

  private String block(int i) {
    return BLOCK.formatted(
        1.0 - shape.residual(),
        shape.residual(),
        linear("v." + i),
        linear("q." + i),
        linear("k." + i),
        linear("o." + i),
        linear("up." + i),
        linear("down." + i));
  }

  private String linear(String name) {
    GptShape.Weight weight = shape.weights().get(name);
    return String.format(
        Locale.ROOT,
        "{\"linear\": {\"name\": \"%s\", \"out\": %d, \"in\": %d, \"radius\": %s}}",
        name,
        weight.rows(),
        weight.columns(),
        stretches.get(name) * weight.unit());
  }
}
