package io.muond.server.rpc;

import static io.muond.server.rpc.Doubles.dot;
import static io.muond.server.rpc.Doubles.frobenius;
import static io.muond.server.rpc.Doubles.product;
import static io.muond.server.rpc.Doubles.scaled;
import static io.muond.server.rpc.Doubles.singularValues;
import static io.muond.server.rpc.Doubles.sum;
import static io.muond.server.rpc.Doubles.transpose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.TextFormat;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.InspectModelRequest;
import io.muond.v1.InspectModelResponse;
import io.muond.v1.LastStep;
import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterInspection;
import io.muond.v1.TensorChunk;
import io.muond.v1.View;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

/**
 * What an inspection says of a step, for every pair of manifold and norm, against the same made
 * here by the definitions, in float64, of the weights before and after it and of the gradient.
 */
class StepMeasuresTest {
  private static final double ETA = 0.1;
  private static final double BETA1 = 0.9;
  private static final double TOLERANCE = 1e-4;

  /** With 20 msign steps nothing but rounding is left between a direction and the optimum. */
  private static final String PARAMETERS =
      """
      seed: 3
      default_rule { msign_steps: 20 }
      parameters {
        parameters { name: "stiefel" shape: [2, 6, 4] }
        parameters { name: "wide" shape: [4, 6] radius: 2 }
        parameters { name: "kernel" shape: [6, 4, 3, 2] view: VIEW_KERNEL_POSITIONS }
        parameters { name: "normal" shape: [2, 6, 4] norm: NORM_FROBENIUS }
        parameters { name: "sphere" shape: [3, 3] manifold: MANIFOLD_SPHERE }
        parameters { name: "rows" shape: [2, 7, 5] manifold: MANIFOLD_OBLIQUE radius: 3 }
        parameters { name: "columns" shape: [2, 7, 5] manifold: MANIFOLD_OBLIQUE
          norm: NORM_LARGEST_COLUMN }
        parameters { name: "centered" shape: [7, 5] manifold: MANIFOLD_CENTERED_OBLIQUE }
        parameters { name: "ball" shape: [2, 6, 4] manifold: MANIFOLD_SPECTRAL_BALL }
        parameters { name: "adamw" shape: [3, 3] manifold: MANIFOLD_EUCLIDEAN radius: 2 }
        parameters { name: "muon" shape: [2, 6, 4] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_SPECTRAL radius: 2 }
        parameters { name: "normalised" shape: [2, 6, 4] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_FROBENIUS }
        parameters { name: "signs" shape: [3, 3] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_LARGEST_ENTRY }
      }
      """;

  @Test
  void measuresAreTheirDefinitions() {
    Engine engine = TestEngines.open(1, 64 << 20);
    try (EnginesServer server = new EnginesServer(List.of(engine), Optional.empty())) {
      assertMeasures(server.client());
    } finally {
      TestEngines.close(engine);
    }
  }

  private static void assertMeasures(TestClient client) {
    Model model = client.create(request());
    float[] before = FloatTensors.weights(client, "m");
    float[] gradient = FloatTensors.random(before.length, 5);
    List<float[]> gradients = split(model, gradient);
    client.step(
        TestClient.whole(
            TestClient.header(model, 1),
            chunks(model, gradients),
            CommitOptions.newBuilder().setLearningRate(ETA).build()));
    List<float[]> w = split(model, before);
    List<float[]> moved = split(model, FloatTensors.weights(client, "m"));
    List<LastStep> measured = inspect(client);
    Set<String> pairs = new HashSet<>();
    for (int i = 0; i < model.getParametersCount(); i++) {
      Parameter parameter = model.getParameters(i);
      pairs.add(parameter.getManifold() + "/" + parameter.getNorm());
      assertStep(parameter, w.get(i), moved.get(i), gradients.get(i), measured.get(i));
    }
    assertThat(pairs).as("the pairs that there are").hasSize(11);
  }

  private static CreateModelRequest.Builder request() {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m");
    try {
      TextFormat.merge(PARAMETERS, request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    return request;
  }

  private static List<float[]> split(Model model, float[] all) {
    List<float[]> parts = new ArrayList<>();
    int at = 0;
    for (Parameter parameter : model.getParametersList()) {
      int size = FloatTensors.size(parameter);
      parts.add(Arrays.copyOfRange(all, at, at + size));
      at += size;
    }
    return parts;
  }

  private static List<TensorChunk> chunks(Model model, List<float[]> parts) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      chunks.addAll(FloatTensors.chunks(model.getParameters(i), parts.get(i), 1));
    }
    return chunks;
  }

  private static List<LastStep> inspect(TestClient client) {
    List<LastStep> steps = new ArrayList<>();
    client
        .models()
        .inspectModel(InspectModelRequest.newBuilder().setModel("m").build())
        .forEachRemaining(answer -> add(answer, steps));
    return steps;
  }

  private static void add(InspectModelResponse answer, List<LastStep> steps) {
    if (answer.hasParameter()) {
      ParameterInspection parameter = answer.getParameter();
      assertThat(parameter.hasLastStep()).as(parameter.getName()).isTrue();
      steps.add(parameter.getLastStep());
    }
  }

  private static void assertStep(
      Parameter p, float[] before, float[] after, float[] gradient, LastStep step) {
    List<double[][]> w = matrices(p, before);
    List<double[][]> g = matrices(p, gradient);
    float[] difference = new float[before.length];
    double descent = 0;
    for (int i = 0; i < before.length; i++) {
      difference[i] = after[i] - before[i];
      descent -= (double) gradient[i] * difference[i] / (p.getRadius() * ETA);
    }
    double update = largest(parts(p, matrices(p, difference)));
    assertClose(p, "learning rate", step.getLearningRate(), ETA);
    assertClose(p, "update norm", step.getUpdateNorm(), update);
    assertClose(p, "gradient norm", step.getGradientNorm(), largest(parts(p, g)));
    boolean own = p.getNorm() != Norm.NORM_ADAMW;
    assertThat(step.hasBudgetUsed()).as(p.getName()).isEqualTo(own);
    assertThat(step.hasGradientDualNorm()).as(p.getName()).isEqualTo(own);
    assertThat(step.hasAlignment()).as(p.getName()).isEqualTo(own);
    if (p.getManifold() == Manifold.MANIFOLD_EUCLIDEAN) {
      // Nothing is retracted: the step is what the direction was. AdamW takes M for G.
      double taken = own ? 1 : 1 - BETA1;
      assertClose(p, "objective", step.getObjective(), taken * descent);
    }
    if (own) {
      double dual = DoubleStream.of(parts(p, g)).sum();
      assertClose(p, "budget used", step.getBudgetUsed(), update / (p.getRadius() * ETA));
      assertClose(p, "dual norm", step.getGradientDualNorm(), dual);
      assertClose(p, "alignment", step.getAlignment(), optimum(p, w, g) / dual);
    }
  }

  private static void assertClose(Parameter p, String what, double found, double expected) {
    assertThat(found)
        .as("%s of %s", what, p.getName())
        .isCloseTo(expected, within(TOLERANCE * Math.abs(expected)));
  }

  private static double largest(double[] parts) {
    return DoubleStream.of(parts).max().orElseThrow();
  }

  /** The largest <G, A> of any tangent A of norm 1. */
  private static double optimum(Parameter p, List<double[][]> w, List<double[][]> g) {
    double sum = 0;
    for (int k = 0; k < w.size(); k++) {
      double[][] matrix = g.get(k);
      sum +=
          switch (p.getManifold()) {
            case MANIFOLD_STIEFEL -> stiefel(p, w.get(k), matrix);
            case MANIFOLD_SPHERE, MANIFOLD_OBLIQUE, MANIFOLD_CENTERED_OBLIQUE ->
                parts(p, tangent(p, w.get(k), matrix)).sum();
            default -> parts(p, matrix).sum();
          };
    }
    return sum;
  }

  /** With the smaller side n: half the nuclear norm of G Wᵀ − W Gᵀ, or ||G − W sym(Wᵀ G)||. */
  private static double stiefel(Parameter p, double[][] anyW, double[][] anyG) {
    boolean tall = anyW.length >= anyW[0].length;
    double[][] w = scaled(tall ? anyW : transpose(anyW), 1 / p.getRadius());
    double[][] g = tall ? anyG : transpose(anyG);
    if (p.getNorm() == Norm.NORM_SPECTRAL) {
      double[][] skew = sum(product(g, transpose(w)), product(w, transpose(g)), -1);
      return 0.5 * DoubleStream.of(singularValues(skew)).sum();
    }
    double[][] inner = product(transpose(w), g);
    double[][] symmetric = scaled(sum(inner, transpose(inner), 1), 0.5);
    return frobenius(sum(g, product(w, symmetric), -1));
  }

  /** Rows (columns, if they are what is bounded) without their part along W's and their mean. */
  private static double[][] tangent(Parameter p, double[][] anyW, double[][] anyG) {
    boolean columns = p.getNorm() == Norm.NORM_LARGEST_COLUMN;
    double[][] w = columns ? transpose(anyW) : anyW;
    double[][] g = columns ? transpose(anyG) : anyG;
    double[][] tangent = new double[g.length][];
    for (int i = 0; i < g.length; i++) {
      double along = dot(w[i], g[i]) / dot(w[i], w[i]);
      double mean =
          p.getManifold() == Manifold.MANIFOLD_CENTERED_OBLIQUE
              ? DoubleStream.of(g[i]).average().orElseThrow()
              : 0;
      tangent[i] = new double[g[i].length];
      for (int j = 0; j < g[i].length; j++) {
        tangent[i][j] = g[i][j] - along * w[i][j] - mean;
      }
    }
    return columns ? transpose(tangent) : tangent;
  }

  /** What the norm is the largest of, and the dual norm the sum. */
  private static double[] parts(Parameter p, List<double[][]> x) {
    return x.stream().flatMapToDouble(matrix -> parts(p, matrix)).toArray();
  }

  private static DoubleStream parts(Parameter p, double[][] matrix) {
    return switch (p.getNorm()) {
      case NORM_SPECTRAL -> DoubleStream.of(singularValues(matrix));
      case NORM_LARGEST_ROW -> norms(matrix);
      case NORM_LARGEST_COLUMN -> norms(transpose(matrix));
      case NORM_LARGEST_ENTRY ->
          Arrays.stream(matrix).flatMapToDouble(DoubleStream::of).map(Math::abs);
      default -> DoubleStream.of(frobenius(matrix));
    };
  }

  private static DoubleStream norms(double[][] rows) {
    return Arrays.stream(rows).mapToDouble(row -> Math.sqrt(dot(row, row)));
  }

  /** A tensor as matrices; a whole one, where the norm is of all of it, is one row. */
  private static List<double[][]> matrices(Parameter p, float[] x) {
    boolean whole =
        p.getManifold() != Manifold.MANIFOLD_STIEFEL && p.getNorm() == Norm.NORM_FROBENIUS;
    if (whole || p.getNorm() == Norm.NORM_ADAMW || p.getNorm() == Norm.NORM_LARGEST_ENTRY) {
      return List.<double[][]>of(matrix(x, 0, 1, x.length, x.length, 1));
    }
    List<Long> shape = p.getShapeList();
    boolean kernel = p.getView() == View.VIEW_KERNEL_POSITIONS;
    int last = shape.size() - 1;
    int rows = Math.toIntExact(shape.get(kernel ? 0 : last - 1));
    int columns = Math.toIntExact(shape.get(kernel ? 1 : last));
    int count = x.length / (rows * columns);
    List<double[][]> matrices = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      matrices.add(
          kernel
              ? matrix(x, k, rows, columns, columns * count, count)
              : matrix(x, k * rows * columns, rows, columns, columns, 1));
    }
    return matrices;
  }

  private static double[][] matrix(
      float[] x, int from, int rows, int columns, int rowStep, int columnStep) {
    double[][] matrix = new double[rows][columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        matrix[i][j] = x[from + i * rowStep + j * columnStep];
      }
    }
    return matrix;
  }
}
