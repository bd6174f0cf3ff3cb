package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.TextFormat;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Parameter;
import io.muond.v1.WrittenParameter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How far a write of weights moves them, and where to. */
class ProjectionTest extends OneEngineTest {
  /** Half a Hadamard matrix: rows and columns are orthonormal. */
  private static final float[] Q = {
    .5f, .5f, .5f, .5f, .5f, .5f, -.5f, -.5f, .5f, -.5f, .5f, -.5f, .5f, -.5f, -.5f, .5f
  };

  ProjectionTest() {
    super(/* threads= */ 1, /* bytes= */ 64 << 20);
  }

  private void create(String declared) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m");
    request.getUploadBuilder();
    try {
      TextFormat.merge("parameters { parameters { name: 'w' " + declared + " } }", request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    client.create(request);
  }

  /** Writes the only parameter, and returns by how much the answer says that it moved. */
  private double write(float... w) {
    Parameter parameter = client.get("m").getParameters(0);
    List<WrittenParameter> written =
        client.write("m", List.of(TestClient.chunk(parameter, 0, w))).getParametersList();
    assertThat(written).extracting(WrittenParameter::getName).containsExactly("w");
    return written.get(0).getDistance();
  }

  private static double distance(float[] x, float[] y) {
    double squares = 0;
    for (int i = 0; i < x.length; i++) {
      squares += Math.pow((double) x[i] - y[i], 2);
    }
    return Math.sqrt(squares);
  }

  /** Rows of Q in turn, so many times as large. */
  private static float[] rows(double norm, int count) {
    float[] x = new float[4 * count];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (norm * Q[i % Q.length]);
    }
    return x;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // Each row has the norm that is written, and four in turn are orthogonal.
        "shape: [4] manifold: MANIFOLD_SPHERE radius: 1                      | 3   | 1 | 2",
        "shape: [4] manifold: MANIFOLD_SPHERE radius: 5                      | 3   | 1 | 2",
        "shape: [4, 4] radius: 1                                             | 2   | 4 | 2",
        "shape: [3, 4] radius: 1                                             | 2   | 3 | 3 ^",
        "shape: [3, 4] radius: 1 norm: NORM_FROBENIUS                        | 2   | 3 | 3 ^",
        "shape: [3, 4] radius: 3                                             | 2   | 3 | 3 ^",
        // Two heads of two rows, and of all four.
        "shape: [2, 2, 4] radius: 1                                          | 2   | 4 | 2",
        "shape: [2, 4, 4] radius: 1                                          | 2   | 8 | 8 ^",
        "shape: [8, 4] manifold: MANIFOLD_OBLIQUE radius: 1                  | 3   | 8 | 32 ^",
        "shape: [4, 4] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN radius: 1"
            + "| 3 | 4 | 4",
        "shape: [3, 4] manifold: MANIFOLD_SPECTRAL_BALL radius: 1            | 2   | 3 | 3 ^",
        "shape: [3, 4] manifold: MANIFOLD_SPECTRAL_BALL radius: 1            | 0.5 | 3 | 0",
        "shape: [3, 4] manifold: MANIFOLD_EUCLIDEAN                          | 7   | 3 | 0",
        "shape: [3, 4] radius: 1 rule { frozen: true }                       | 2   | 3 | 3 ^",
        // The three rows of one range and the five of the other move by 1 each.
        "shape: [8, 4] ranges { name: 'a' rows: 3 radius: 1 } ranges { name: 'b' rows: 5"
            + " manifold: MANIFOLD_OBLIQUE radius: 3 } | 2 | 8 | 8 ^",
        // The three rows of the first range move by 5 each, that of the second stays.
        "shape: [4, 4] ranges { name: 'a' rows: 3 radius: 1 } ranges { name: 'b' rows: 1"
            + " manifold: MANIFOLD_EUCLIDEAN } | 6 | 4 | 75 ^",
      })
  void theAnswerTellsIt(String declared, double norm, int rows, String expected) {
    boolean root = expected.endsWith("^");
    double number = Double.parseDouble(expected.replace("^", ""));
    double moved = root ? Math.sqrt(number) : number;
    create(declared);
    float[] sent = rows(norm, rows);
    assertThat(write(sent)).isCloseTo(moved, within(1e-5 * Math.max(1, moved)));
    float[] projected = FloatTensors.weights(client, "m");
    assertThat(distance(projected, sent)).isCloseTo(moved, within(1e-5 * Math.max(1, moved)));
    // What lies on its manifold stays there.
    assertThat(write(projected)).isLessThan(1e-5);
  }

  /** (1, −1) / √2 once more, three times as far out and with a mean of 5. */
  @Test
  void whatIsCenteredLosesItsMean() {
    create("shape: [2, 2] manifold: MANIFOLD_CENTERED_OBLIQUE radius: 1");
    float[] row = {(float) (3 / Math.sqrt(2) + 5), (float) (-3 / Math.sqrt(2) + 5)};
    float[] kept = {(float) Math.sqrt(0.5), (float) -Math.sqrt(0.5)};
    assertThat(write(FloatTensors.concat(row, kept))).isCloseTo(Math.sqrt(54), within(1e-5));
    assertThat(FloatTensors.weights(client, "m"))
        .containsExactly(FloatTensors.concat(kept, kept), within(1e-6f));
  }
}
