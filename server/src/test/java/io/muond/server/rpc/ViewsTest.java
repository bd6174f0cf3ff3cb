package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.google.protobuf.TextFormat;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterReport;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * However a tensor is declared, fused or apart, seen by kernel positions or by hand, it is stepped
 * to the same weights: to the same bits on the CPU, and to 1e-6 on a device, whose products may
 * depend on what else there is.
 */
class ViewsTest extends OneEngineTest {
  private static final int STEPS = 3;

  /** 20 elements in each row, and of no two ranges as many rows. */
  private static final String ZOO =
      """
      parameters { name: "zoo" shape: [123, 20]
        ranges { name: "stiefel" rows: 18 }
        ranges { name: "rows" rows: 19 manifold: MANIFOLD_OBLIQUE learning_rate_multiplier: 0.5 }
        ranges { name: "columns" rows: 20 manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN }
        ranges { name: "sphere" rows: 21 manifold: MANIFOLD_SPHERE radius: 3 }
        ranges { name: "adamw" rows: 22 manifold: MANIFOLD_EUCLIDEAN
          rule { adamw { beta1: 0.8 } } }
        ranges { name: "signs" rows: 23 manifold: MANIFOLD_EUCLIDEAN norm: NORM_LARGEST_ENTRY
          rule { weight_decay: 0.1 } } }
      """;

  private static final String ZOO_APART =
      """
      parameters { name: "stiefel" shape: [18, 20] }
      parameters { name: "rows" shape: [19, 20] manifold: MANIFOLD_OBLIQUE
        learning_rate_multiplier: 0.5 }
      parameters { name: "columns" shape: [20, 20] manifold: MANIFOLD_OBLIQUE
        norm: NORM_LARGEST_COLUMN }
      parameters { name: "sphere" shape: [21, 20] manifold: MANIFOLD_SPHERE radius: 3 }
      parameters { name: "adamw" shape: [22, 20] manifold: MANIFOLD_EUCLIDEAN
        rule { adamw { beta1: 0.8 } } }
      parameters { name: "signs" shape: [23, 20] manifold: MANIFOLD_EUCLIDEAN
        norm: NORM_LARGEST_ENTRY rule { weight_decay: 0.1 } }
      """;

  ViewsTest() {
    super(/* threads= */ 2, /* bytes= */ 256 << 20);
  }

  private Model create(String name, String parameters) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel(name);
    request.getUploadBuilder();
    request.getDefaultRuleBuilder().setMomentum(0.9).setNesterov(true);
    try {
      TextFormat.merge("parameters {" + parameters + "}", request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    return client.create(request);
  }

  /** Chunks of all parameters, cut from one array. */
  private static List<TensorChunk> chunks(Model model, float[] all, int blocks) {
    List<TensorChunk> chunks = new ArrayList<>();
    int at = 0;
    for (Parameter parameter : model.getParametersList()) {
      int size = FloatTensors.size(parameter);
      float[] x = new float[size];
      System.arraycopy(all, at, x, 0, size);
      chunks.addAll(FloatTensors.chunks(parameter, x, blocks));
      at += size;
    }
    return chunks;
  }

  private static float[] permute(float[] x, IntUnaryOperator from) {
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = x[from.applyAsInt(i)];
    }
    return y;
  }

  /**
   * Trains two models with the same numbers, and compares the weights at the end.
   *
   * @param from which element of the first model element i of the second is
   */
  private List<StepReport> assertSame(Model a, Model b, IntUnaryOperator from) {
    int size = a.getParametersList().stream().mapToInt(FloatTensors::size).sum();
    float[] w = FloatTensors.random(size, 1);
    client.write(a.getName(), chunks(a, w, 1));
    client.write(b.getName(), chunks(b, permute(w, from), 2));
    Model readyA = client.get(a.getName());
    Model readyB = client.get(b.getName());
    List<StepReport> last = List.of();
    for (int step = 1; step <= STEPS; step++) {
      float[] g = FloatTensors.random(size, 1 + step);
      last =
          List.of(
              step(readyA, step, chunks(a, g, 3)),
              step(readyB, step, chunks(b, permute(g, from), 1)));
    }
    float[] weights = FloatTensors.weights(client, a.getName());
    float[] others = FloatTensors.weights(client, b.getName());
    if (TestEngines.isCuda()) {
      assertThat(others).containsExactly(permute(weights, from), within(1e-6f));
    } else {
      assertThat(others).isEqualTo(permute(weights, from));
    }
    assertThat(weights).isNotEqualTo(w);
    return last;
  }

  private StepReport step(Model model, int step, List<TensorChunk> chunks) {
    return client.step(whole(header(model, step), chunks, TestClient.options()));
  }

  @Test
  void fusedWeightsTrainAsTheirPartsApart() {
    // 12,000 elements each: the borders are not those of the wire's blocks of 16,384.
    Model fused =
        create(
            "fused",
            """
            parameters { name: "qkv" shape: [900, 40]
              ranges { name: "q" rows: 300 } ranges { name: "k" rows: 300 radius: 2 }
              ranges { name: "v" rows: 300 learning_rate_multiplier: 0.5 } }
            parameters { name: "o" shape: [300, 40] }\
            """);
    Model apart =
        create(
            "apart",
            """
            parameters { name: "q" shape: [300, 40] }
            parameters { name: "k" shape: [300, 40] radius: 2 }
            parameters { name: "v" shape: [300, 40] learning_rate_multiplier: 0.5 }
            parameters { name: "o" shape: [300, 40] }\
            """);
    assertThat(fused.getMemory()).isEqualTo(apart.getMemory());
    assertThat(fused.getParameters(0).getRanges(1).getRadius()).isEqualTo(2);
    assertThat(fused.getParameters(0).getRanges(0).getRadius()).isEqualTo(Math.sqrt(7.5));
    List<StepReport> reports = assertSame(fused, apart, i -> i);
    // In the same batch, bit for bit on every engine.
    assertThat(FloatTensors.weights(client, fused.getName()))
        .isEqualTo(FloatTensors.weights(client, apart.getName()));
    List<ParameterReport> parts = reports.get(0).getParametersList();
    assertThat(parts)
        .extracting(ParameterReport::getName)
        .containsExactly("qkv[q]", "qkv[k]", "qkv[v]", "o");
    assertThat(parts)
        .extracting(ParameterReport::getLearningRate)
        .containsExactly(0.25, 0.25, 0.125, 0.25);
    // One batch: what it takes is told of each.
    assertThat(parts.get(2).getSeconds()).isEqualTo(parts.get(3).getSeconds());
    for (int i = 0; i < 4; i++) {
      ParameterReport apartFrom = reports.get(1).getParameters(i);
      assertThat(parts.get(i).getObjective())
          .isCloseTo(apartFrom.getObjective(), withinPercentage(1e-4));
      assertThat(parts.get(i).getUpdateNorm())
          .isCloseTo(apartFrom.getUpdateNorm(), withinPercentage(1e-4));
    }
  }

  /** Also after a step was recorded, and others replayed it. */
  @Test
  void aFusedWeightAndItsPartsInOneBatchAreEqualBitForBit() {
    Model model =
        create(
            "m",
            """
            parameters { name: "qkv" shape: [144, 40]
              ranges { name: "q" rows: 48 radius: 2 } ranges { name: "k" rows: 48 radius: 2 }
              ranges { name: "v" rows: 48 radius: 2 learning_rate_multiplier: 0.5 } }
            parameters { name: "q" shape: [48, 40] radius: 2 }
            parameters { name: "k" shape: [48, 40] radius: 2 }
            parameters { name: "v" shape: [48, 40] radius: 2 learning_rate_multiplier: 0.5 }\
            """);
    int fused = FloatTensors.size(model.getParameters(0));
    client.write("m", chunks(model, twice(FloatTensors.random(fused, 1)), 1));
    Model ready = client.get("m");
    for (int step = 1; step <= 6; step++) {
      float[] before = FloatTensors.weights(client, "m");
      float[] g = twice(FloatTensors.random(fused, 1 + step));
      StepReport report = step(ready, step, chunks(model, g, 1));
      assertThat(report.getParametersList())
          .extracting(ParameterReport::getName)
          .containsExactly("qkv[q]", "qkv[k]", "qkv[v]", "q", "k", "v");
      assertThat(report.getParametersList()).extracting(ParameterReport::getBatch).containsOnly(0);
      float[] weights = FloatTensors.weights(client, "m");
      float[] apart = Arrays.copyOfRange(weights, fused, 2 * fused);
      assertThat(Arrays.copyOf(weights, fused)).isEqualTo(apart);
      assertThat(weights).isNotEqualTo(before);
    }
  }

  /** Each range goes its own way; so it does in one batch with its twin, to the same bits. */
  @Test
  void rangesOnDifferentManifoldsTrainAsTheirPartsApart() {
    Model fused = create("fused", ZOO);
    Model apart = create("apart", ZOO_APART);
    assertSame(fused, apart, i -> i);
    Model both = create("both", ZOO + ZOO_APART);
    int size = FloatTensors.size(both.getParameters(0));
    client.write("both", chunks(both, twice(FloatTensors.random(size, 1)), 1));
    Model ready = client.get("both");
    for (int step = 1; step <= STEPS; step++) {
      StepReport report =
          step(ready, step, chunks(both, twice(FloatTensors.random(size, 1 + step)), 1));
      List<ParameterReport> pieces = report.getParametersList();
      assertThat(pieces).hasSize(12);
      for (int i = 0; i < 6; i++) {
        ParameterReport range = pieces.get(i);
        assertThat(range.getName()).isEqualTo("zoo[" + pieces.get(6 + i).getName() + "]");
        assertThat(range.getBatch()).isEqualTo(pieces.get(6 + i).getBatch());
        assertThat(range.getObjective()).isEqualTo(pieces.get(6 + i).getObjective());
      }
    }
    float[] weights = FloatTensors.weights(client, "both");
    assertThat(Arrays.copyOf(weights, size)).isEqualTo(Arrays.copyOfRange(weights, size, 2 * size));
  }

  private static float[] twice(float[] x) {
    return FloatTensors.concat(x, x);
  }

  @Test
  void headsOfARangeAreMatricesOfTheirOwn() {
    Model fused =
        create(
            "fused",
            """
            parameters { name: "qk" shape: [96, 20]
              ranges { name: "q" rows: 64 heads: 4 } ranges { name: "k" rows: 32 } }\
            """);
    Model apart =
        create(
            "apart",
            """
            parameters { name: "q" shape: [4, 16, 20] } parameters { name: "k" shape: [32, 20] }\
            """);
    assertSame(fused, apart, i -> i);
  }

  @Test
  void aKernelsPositionsAreMatrices() {
    Model viewed =
        create(
            "viewed", "parameters { name: 'c' shape: [40, 50, 3, 3] view: VIEW_KERNEL_POSITIONS }");
    double radius = viewed.getParameters(0).getRadius();
    assertThat(radius).isEqualTo(Math.sqrt(0.8) / 9);
    Model byHand =
        create("hand", "parameters { name: 'c' shape: [9, 40, 50] radius: " + radius + " }");
    assertSame(viewed, byHand, i -> i % 2000 * 9 + i / 2000);
  }

  @Test
  void aFlattenedKernelIsOneMatrix() {
    Model viewed = create("viewed", "parameters { name: 'c' shape: [40, 10, 3, 2] }");
    Model byHand = create("hand", "parameters { name: 'c' shape: [40, 60] }");
    assertSame(viewed, byHand, i -> i);
  }

  @Test
  void aConvolutionsFiltersAreRowsOfMeanZero() {
    Model filters =
        create(
            "filters",
            "parameters { name: 'c' shape: [40, 10, 3, 2] manifold: MANIFOLD_CENTERED_OBLIQUE }");
    assertThat(filters.getParameters(0).getRadius()).isEqualTo(Math.sqrt(60));
    Model byHand =
        create(
            "hand", "parameters { name: 'c' shape: [40, 60] manifold: MANIFOLD_CENTERED_OBLIQUE }");
    assertSame(filters, byHand, i -> i);
  }

  @Test
  void columnsAreTheRowsOfTheTranspose() {
    Model columns =
        create(
            "columns",
            """
            parameters { name: "w" shape: [70, 300]
              manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN }\
            """);
    Model rows =
        create("rows", "parameters { name: 'w' shape: [300, 70] manifold: MANIFOLD_OBLIQUE }");
    assertSame(columns, rows, i -> i % 70 * 300 + i / 70);
  }

  @Test
  void withAMultiplierOfZeroNothingMoves() {
    Model model =
        create(
            "m",
            """
            parameters { name: "w" shape: [30, 20] learning_rate_multiplier: 0 }
            parameters { name: "s" shape: [30] learning_rate_multiplier: 0 }\
            """);
    client.write("m", chunks(model, FloatTensors.random(630, 1), 1));
    float[] before = FloatTensors.weights(client, "m");
    Model ready = client.get("m");
    for (int step = 1; step <= STEPS; step++) {
      step(ready, step, chunks(model, FloatTensors.random(630, 1 + step), 1));
    }
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(before);
  }
}
