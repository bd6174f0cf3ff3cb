package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.TextFormat;
import com.google.rpc.ErrorInfo;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.StepHeader;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Declarations that break a rule make nothing; errors in pieces are told as users see them. */
class BadDeclarationsTest {
  private static final String PARAMETER = "parameters.parameters[1].";

  private TestServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static CreateModelRequest.Builder request(String text) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m").setSeed(1);
    try {
      TextFormat.merge(text, request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    return request;
  }

  private static String second(String declared) {
    return "parameters { parameters { name: 'good' shape: 3 } parameters { name: 'p' "
        + declared
        + " } }";
  }

  private ErrorInfo refused(String text) {
    long before = server.engine.allocatedBytes();
    Throwable failure = catchThrowable(() -> client.create(request(text)));
    assertThat(failure).as(text).isNotNull().hasMessageStartingWith("INVALID_ARGUMENT: ");
    assertThat(refusal(() -> client.get("m"))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    assertThat(server.engine.allocatedBytes()).isEqualTo(before);
    return info(failure);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "shape: [4, 3] norm: NORM_ADAMW                                       | norm",
        "shape: [4, 3] manifold: MANIFOLD_SPHERE norm: NORM_SPECTRAL          | norm",
        "shape: [4, 3] manifold: MANIFOLD_SPHERE view: VIEW_FLATTENED         | view",
        "shape: [4, 3] view: VIEW_KERNEL_POSITIONS                            | view",
        "shape: [4, 1] manifold: MANIFOLD_CENTERED_OBLIQUE                    | shape",
        "shape: [4] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN      | shape",
        "shape: [4, 3] initial: INITIAL_ONE                                   | initial",
        "shape: [4, 3] radius: -1                                             | radius",
        "shape: [4, 3] radius: 0                                              | radius",
        "shape: [4, 3] radius: nan                                            | radius",
        "shape: [4, 3] rule { weight_decay: 0.1 }                             | rule.weight_decay",
        "shape: [4, 3] rule { adamw { beta1: 0.5 } }                          | rule.adamw",
        "shape: [4] manifold: MANIFOLD_EUCLIDEAN rule { momentum: 0.9 }       | rule.momentum",
        "shape: [4] manifold: MANIFOLD_EUCLIDEAN rule { adamw { beta2: 1 } }  | rule.adamw.beta2",
        "shape: [4, 3] ranges { name: 'a' rows: 3 }                           | ranges",
        "shape: [4, 3] ranges { name: 'a' rows: 5 }                           | ranges[0].rows",
        "shape: [4, 3] ranges { name: 'a' rows: 4 heads: 3 }                  | ranges[0].heads",
        "shape: [4, 3] ranges { name: 'a' rows: 2 } ranges { name: 'a' rows: 2 } | ranges[1].name",
        "shape: [4, 3] ranges { name: 'a' rows: 4 norm: NORM_LARGEST_ROW }    | ranges[0].norm",
        "shape: [4, 3] ranges { name: 'a' rows: 4 } radius: 2                 | radius",
        "shape: [4, 3] ranges { name: 'a' rows: 4 rule { msign_steps: 65 } }"
            + "| ranges[0].rule.msign_steps",
      })
  void aBadParameterIsRefusedByItsPath(String declared, String field) {
    ErrorInfo info = refused(second(declared));
    assertThat(info.getReason()).isEqualTo("INVALID_FIELD");
    assertThat(info.getMetadataMap()).containsEntry("field", PARAMETER + field);
  }

  /** Third in a sequence, after the atoms u and w.1. */
  private static String third(String module) {
    return "module { sequence {"
        + " modules { linear { name: 'u' out: 4 in: 4 } }"
        + " modules { linear { name: 'w.1' out: 4 in: 4 } }"
        + (" modules { " + module + " } } }");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "scale { factor: 2 of { bond { kind: 'sigmoid' } } }             | scale.of",
        "scale { factor: 2 of { bond {} } }                              | scale.of",
        "scale { factor: 2 of {} }                                       | scale.of",
        "scale { factor: nan of { bond { kind: 'relu' } } }              | scale.factor",
        "scale { factor: 2 of { linear { name: 'w' out: 0 in: 3 } } }    | scale.of.linear.out",
        "bond { kind: 'softmax' scale: nan }                             | bond.scale",
        "attention { width: 4 softmax_scale: nan }                       | attention.softmax_scale",
        "mass { absolute: nan of { linear { name: 'w' out: 4 in: 3 } } } | mass.absolute",
        "mass { absolute: 1 of { bond { kind: 'relu' } } }               | mass.of",
        "linear { name: 'w' out: 4 in: 3 mass: nan }                     | linear.mass",
        "linear { name: 'w' out: 4 in: 3 settings { radius: 0 } }        | linear.radius",
        "linear { name: 'w' out: 4 in: 3 settings { radius: -1 } }       | linear.radius",
        "linear { name: 'w' out: 4 in: 3 settings { radius: nan } }      | linear.radius",
        "linear { name: 'w' out: 4 in: 3 settings { manifold: 99 } }     | linear.manifold",
        "linear { name: 'w' out: 6 in: 3 heads: 4 }                      | linear.heads",
        "linear { name: 'w' out: 6 in: 3 ranges { name: 'a' rows: 6 heads: 4 } }"
            + "| linear.ranges[0].heads",
        "attention { width: 6 heads: 4 }                                 | attention.heads",
        "linear { name: 'w' out: 4 in: 3 settings { view: VIEW_KERNEL_POSITIONS } }"
            + "| linear.view",
        // What is wrong with an atom's shape is told of the atom.
        "bias { name: 'b' size: 3 settings { manifold: MANIFOLD_STIEFEL } } | bias",
        "linear { name: 'w' out: 4 in: 1 settings { manifold: MANIFOLD_CENTERED_OBLIQUE } }"
            + "| linear",
        "convolution { name: 'c' out: 4 in: 1 kernel: [3, 3] settings {"
            + " manifold: MANIFOLD_CENTERED_OBLIQUE view: VIEW_KERNEL_POSITIONS } }"
            + "| convolution",
        "repeat { count: 2 of { linear { name: 'w' out: 4 in: 4 } } }    | repeat.of.linear.name",
      })
  void aBadTreeIsRefusedByItsPath(String module, String field) {
    ErrorInfo info = refused(third(module));
    assertThat(info.getReason()).isEqualTo("INVALID_FIELD");
    assertThat(info.getMetadataMap()).containsEntry("field", "module.sequence[2]." + field);
  }

  @Test
  void aTreeWithoutFaultsIsMade() {
    client.create(request(third("linear { name: 'w' out: 6 in: 3 heads: 3 }")));
    assertThat(client.get("m").getParametersList())
        .extracting(Parameter::getName)
        .containsExactly("u", "w.1", "w");
  }

  @ParameterizedTest
  @CsvSource({
    "momentum: 1, momentum",
    "msign_steps: 65, msign_steps",
    "weight_decay: -1, weight_decay",
    "adamw { epsilon: 0 }, adamw.epsilon",
    "solver: 17, solver"
  })
  void aBadDefaultRuleIsRefusedWhoeverFollowsIt(String rule, String field) {
    for (String parameter : List.of("shape: 4", "shape: 4 manifold: MANIFOLD_EUCLIDEAN")) {
      ErrorInfo info = refused("default_rule { " + rule + " }" + second(parameter));
      assertThat(info.getMetadataMap()).containsEntry("field", "default_rule." + field);
    }
  }

  @Test
  void aNameThatReportsHaveForARangeIsTaken() {
    ErrorInfo info =
        refused(
            "parameters { parameters { name: 'p[a]' shape: 3 }"
                + " parameters { name: 'p' shape: [4, 3] ranges { name: 'a' rows: 4 } } }");
    assertThat(info.getReason()).isEqualTo("DUPLICATE_PARAMETER");
    assertThat(info.getMetadataMap()).containsEntry("parameter", "p[a]");
  }

  /** A convolution of 2 x 3 matrices, and a range of columns behind rows of another. */
  private Model pieces() {
    return client.create(
        request(
            """
            parameters {
              parameters { name: "c" shape: [2, 3, 5] view: VIEW_KERNEL_POSITIONS }
              parameters { name: "f" shape: [7, 4] ranges { name: "a" rows: 3 }
                ranges { name: "b" rows: 4
                  manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN } }
            }"""));
  }

  private ErrorInfo failure(Model model, int parameter, int index, float value, double weight) {
    float[][] gradients = {new float[30], new float[28]};
    gradients[parameter][index] = value;
    StepHeader header = header(model, 1).toBuilder().setWeight(weight).build();
    Parameter c = model.getParameters(0);
    Parameter f = model.getParameters(1);
    return info(
        catchThrowable(
            () ->
                client.step(
                    whole(
                        header,
                        List.of(
                            TestClient.chunk(c, 0, gradients[0]),
                            TestClient.chunk(f, 0, gradients[1])),
                        options()))));
  }

  @Test
  void whatIsNotFiniteIsNamedAsItWasSent() {
    Model model = pieces();
    for (int index : new int[] {0, 7, 29}) {
      assertNotFinite(failure(model, 0, index, Float.NaN, 1), "c", index);
      // Found only once the sum was made, by its place on the device.
      assertNotFinite(failure(model, 0, index, 3e38f, 3), "c", index);
    }
    for (int index : new int[] {11, 12, 14, 27}) {
      assertNotFinite(failure(model, 1, index, Float.NEGATIVE_INFINITY, 1), "f", index);
      assertNotFinite(failure(model, 1, index, 3e38f, 3), "f", index);
    }
  }

  private static void assertNotFinite(ErrorInfo info, String parameter, int index) {
    assertThat(info.getReason()).isEqualTo("NOT_FINITE");
    assertThat(info.getMetadataMap())
        .containsEntry("parameter", parameter)
        .containsEntry("index", Integer.toString(index));
  }

  @Test
  void weightsComeBackAsTheyWereSent() {
    Model model = pieces();
    float[] c = FloatTensors.random(30, 1);
    float[] f = FloatTensors.random(28, 2);
    client.write(
        "m",
        List.of(
            TestClient.chunk(model.getParameters(0), 0, c),
            TestClient.chunk(model.getParameters(1), 0, f)));
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(FloatTensors.concat(c, f));
  }
}
